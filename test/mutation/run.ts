// Mutation testing by script: changes authn/ and policy/ in small wrong ways, in a copy of the project, and runs their
// tests on each. A change that no test notices is a survivor; docs/mutation.md explains the ones that are left.
//   node test/mutation/run.ts [--area authn|policy] [--file <part of a path>] [--every <n>] [--minutes <n>]
import { spawn } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { mutantsOf, type Mutant } from './mutants.ts';

interface Area {
  /** Source folders and files. */
  readonly sources: readonly string[];
  /** Where a source file has a test file of its own, by name: run first, because it is the likeliest to notice. */
  readonly ownTests: string;
  /** Test runs, cheapest first; the first that fails kills the mutant. */
  readonly tests: readonly (readonly string[])[];
}

const areas: Readonly<Record<string, Area>> = {
  authn: {
    sources: ['src/authn', 'src/strict-json.ts', 'src/http/jwt.ts', 'src/http/credentials.ts'],
    ownTests: 'test/unit/authn',
    tests: [
      ['test/unit/authn'],
      ['test/e2e/authn-hostile', 'test/e2e/authn-remembered', 'test/e2e/authn-security', 'test/e2e/authn-rfc8725'],
      ['test/e2e/authn-key-sets', '--testNamePattern', '^((?!10,000).)*$'],
    ],
  },
  policy: { sources: ['src/policy'], ownTests: 'test/unit/policy', tests: [['test/unit/policy', 'test/policy']] },
};

/** A mutant that loops for ever counts as noticed. */
const timeLimitMs = 90_000;

async function sourcesOf({ sources }: Area): Promise<readonly string[]> {
  const files: string[] = [];
  for (const source of sources) {
    if (source.endsWith('.ts')) files.push(source);
    else for (const name of await readdir(source)) if (name.endsWith('.ts')) files.push(join(source, name));
  }
  return files.sort();
}

/** Others may work in this tree, so it is never changed itself. */
async function copyProject(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mutation-'));
  for (const name of [
    'src',
    'test',
    'demo',
    'examples',
    'package.json',
    'tsconfig.json',
    'openapi.yaml',
    'policy.yaml',
  ]) {
    await cp(name, join(copy, name), { recursive: true }).catch(() => undefined);
  }
  await writeFile(
    join(copy, 'vitest.config.ts'),
    "export default { test: { include: ['test/**/*.test.ts'], testTimeout: 30_000, maxWorkers: 1, isolate: false } };\n",
  );
  await symlink(resolve('node_modules'), join(copy, 'node_modules'));
  await mkdir(join(copy, 'reports'), { recursive: true });
  return copy;
}

function passes(copy: string, tests: readonly string[]): Promise<boolean> {
  return new Promise((done) => {
    const program = join(copy, 'node_modules/vitest/vitest.mjs');
    const child = spawn('node', [program, 'run', '--bail', '1', '--reporter', 'dot', ...tests], {
      cwd: copy,
      stdio: 'ignore',
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeLimitMs);
    child.on('exit', (code) => {
      clearTimeout(timer);
      done(code === 0);
    });
  });
}

async function survives(copy: string, file: string, mutant: Mutant, area: Area): Promise<boolean> {
  const original = await readFile(file, 'utf8');
  await writeFile(join(copy, file), mutant.text);
  try {
    const own = join(area.ownTests, basename(file, '.ts'));
    const first = await access(join(copy, `${own}.test.ts`)).then(
      () => [[own]],
      () => [],
    );
    for (const tests of [...first, ...area.tests]) if (!(await passes(copy, tests))) return false;
    return true;
  } finally {
    await writeFile(join(copy, file), original);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      area: { type: 'string', default: 'authn' },
      file: { type: 'string', default: '' },
      every: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '600' },
    },
  });
  const area = areas[values.area];
  if (area === undefined) throw new Error(`there is no area ${values.area}`);
  const copy = await copyProject();
  const end = Date.now() + Number(values.minutes) * 60_000;
  let survived = 0;
  let made = 0;
  let tried = 0;
  try {
    for (const tests of area.tests) {
      if (!(await passes(copy, tests))) throw new Error(`without any change, these fail: ${tests.join(' ')}`);
    }
    for (const file of (await sourcesOf(area)).filter((path) => path.includes(values.file))) {
      for (const mutant of mutantsOf(file, await readFile(file, 'utf8'))) {
        made += 1;
        if (made % Number(values.every) !== 0 || Date.now() > end) continue;
        tried += 1;
        if (!(await survives(copy, file, mutant, area))) continue;
        survived += 1;
        process.stdout.write(`survived: ${file}:${mutant.line} ${mutant.change}\n`);
      }
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
  const killed = tried - survived;
  process.stdout.write(`${made} mutants, ${tried} tried, ${killed} killed, ${survived} survived\n`);
  return survived === 0 ? 0 : 1;
}

process.exitCode = await main();
