// Mutation testing by script: changes authn/ and policy/ in small wrong ways, in a copy of the project, and runs their
// tests on each. A change that no test notices is a survivor. Those that docs/mutation.md explains are not tried again;
// any other one fails the run.
//   node test/mutation/run.ts [--area authn|policy] [--file <parts of paths, comma-separated>] [--every <n>] [--minutes <n>] [--again <output of a former run>]
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { areas, sourcesOf, type Area } from './areas.ts';
import { explainedRows, toRow } from './explained-survivors.ts';
import { mutantsOf, type Mutant } from './mutants.ts';
import { copyProject, createRunner, type Runner } from './runner.ts';

const runsFor = ({ tests, last }: Area, file?: string): readonly (readonly string[])[] =>
  last !== undefined && (file === undefined || last.sources.test(file)) ? [...tests, last.tests] : tests;

async function survives(runner: Runner, copy: string, file: string, mutant: Mutant, area: Area): Promise<boolean> {
  const place = join(copy, file);
  const original = await readFile(place, 'utf8');
  await writeFile(place, mutant.text);
  runner.changed(place);
  try {
    const name = basename(file, '.ts');
    const first = area.likely[basename(file)] ?? `/${name}.test.ts`;
    for (const tests of [[first], ...runsFor(area, file)]) if (!(await runner.passes(tests))) return false;
    return true;
  } finally {
    await writeFile(place, original);
    runner.changed(place);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      area: { type: 'string', default: 'authn' },
      file: { type: 'string', default: '' },
      again: { type: 'string' },
      every: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '600' },
    },
  });
  const area = areas[values.area];
  if (area === undefined) throw new Error(`there is no area ${values.area}`);
  const copy = await copyProject();
  const runner = await createRunner(copy, area.timeLimitMs);
  const end = Date.now() + Number(values.minutes) * 60_000;
  const explained = explainedRows(await readFile('docs/mutation.md', 'utf8'));
  const again = values.again === undefined ? undefined : (await readFile(values.again, 'utf8')).split('\n');
  const sources = await sourcesOf(area);
  const files = values.file.split(',').flatMap((part) => sources.filter((path) => path.includes(part)));
  let survived = 0;
  let known = 0;
  let made = 0;
  let tried = 0;
  try {
    for (const tests of runsFor(area)) {
      if (!(await runner.passes(tests))) throw new Error(`without any change, these fail: ${tests.join(' ')}`);
    }
    for (const file of files) {
      const triedBefore = tried;
      for (const mutant of mutantsOf(file, await readFile(join(copy, file), 'utf8'))) {
        made += 1;
        if (again !== undefined && !again.includes(toRow(file, mutant))) continue;
        if (made % Number(values.every) !== 0 || Date.now() > end) continue;
        if (explained.has(toRow(file, mutant))) {
          known += 1;
          continue;
        }
        tried += 1;
        if (!(await survives(runner, copy, file, mutant, area))) continue;
        survived += 1;
        process.stdout.write(`survived: ${file}:${mutant.line}\n${toRow(file, mutant)}\n`);
      }
      process.stdout.write(`${file}: ${tried - triedBefore} tried\n`);
    }
    // Else something other than the mutants may have failed them.
    if (!(await runner.passes(area.tests[0] ?? []))) throw new Error('the tests fail at the end without any change');
  } finally {
    await runner.close();
    await rm(copy, { recursive: true, force: true });
  }
  const killed = tried - survived;
  process.stdout.write(
    `${made} mutants, ${known} explained survivors, ${tried} tried, ${killed} killed, ${survived} survived\n`,
  );
  return survived === 0 ? 0 : 1;
}

process.exitCode = await main();
