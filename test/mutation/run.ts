// Mutation testing by script: changes authn/ and policy/ in small wrong ways, in a copy of the project, and runs their
// tests on each. A change that no test notices is a survivor. Those that docs/mutation.md explains are not tried again;
// any other one fails the run.
//   node test/mutation/run.ts [--area authn|policy] [--file <parts of paths, comma-separated>] [--every <n>] [--minutes <n>] [--again <output of a former run>]
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createVitest, type Vitest } from 'vitest/node';
import { readExplanations, toRow } from './explained-survivors.ts';
import { mutantsOf, type Mutant } from './mutants.ts';

interface Area {
  /** Source folders and files. */
  readonly sources: readonly string[];
  /** By the source file's name: the tests that are the likeliest to notice, run first. Others are found by name. */
  readonly likely: Readonly<Record<string, string>>;
  /** A mutant whose tests take longer than this, because it loops for ever, counts as noticed. */
  readonly timeLimitMs: number;
  /** Test runs, cheapest first; the first that fails kills the mutant. */
  readonly tests: readonly (readonly string[])[];
  /** A long run that only these sources need. */
  readonly last?: { readonly sources: RegExp; readonly tests: readonly string[] };
}

const areas: Readonly<Record<string, Area>> = {
  authn: {
    sources: ['src/authn', 'src/strict-json.ts', 'src/http/jwt.ts', 'src/http/credentials.ts'],
    likely: {
      'algorithms.ts': 'test/e2e/authn-algorithms',
      'authenticate.ts': 'test/e2e/authn-remembered',
      'issuer-keys.ts': 'test/e2e/authn-remembered',
      'jose-header.ts': 'test/e2e/authn-hostile',
      'jwk-set.ts': 'test/unit/authn/public-keys',
      'jwt.ts': 'test/e2e/authn-remembered',
      'key-ring.ts': 'test/e2e/authn-remembered',
      'key-set-fetch.ts': 'test/e2e/authn-key-sets',
      'key-set-source.ts': 'test/e2e/authn-key-sets',
      'public-key.ts': 'test/unit/authn/public-keys',
      'remembered-tokens.ts': 'test/e2e/authn-remembered',
      'trusted-url.ts': 'test/unit/authn/issuer.test',
      'yaml-list.ts': 'test/unit/authn/issuers-file',
    },
    tests: [
      ['test/unit/authn'],
      [
        'test/e2e/authn-hostile',
        'test/e2e/authn-remembered',
        'test/e2e/authn-algorithms',
        'test/e2e/authn-security',
        'test/e2e/authn-rfc8725',
      ],
    ],
    timeLimitMs: 90_000,
    last: { sources: /key-set|issuer-keys|authenticate/, tests: ['test/e2e/authn-key-sets'] },
  },
  policy: {
    sources: ['src/policy'],
    likely: {
      ...Object.fromEntries(
        ['filter-schema.ts', 'scalar-schema.ts', 'upstream-schema.ts', 'structure-problems.ts'].map((name) => [
          name,
          'test/unit/policy/policy-schema',
        ]),
      ),
      ...Object.fromEntries(
        [
          'cel-conversions.ts',
          'cel-functions.ts',
          'cel-operators.ts',
          'cel-subset.ts',
          'cel-tree.ts',
          'cel-values.ts',
          'compile-access.ts',
          'compile-logic.ts',
          'compile-macro.ts',
          'evaluation.ts',
          'read-expression.ts',
        ].map((name) => [name, 'test/unit/policy/cel-semantics']),
      ),
      'coverage.ts': 'test/unit/policy/policy-test-run',
      'explain-text.ts': 'test/unit/policy/explain',
      'pattern-syntax.ts': 'test/unit/policy/anchored-pattern',
      'policy-test-reader.ts': 'test/unit/policy/policy-test-document',
      'policy-test-report.ts': 'test/unit/policy/policy-test-run',
    },
    timeLimitMs: 30_000,
    tests: [
      ['test/policy/'],
      ['decide.test', 'explain', 'load-policy', 'policy-test', 'shadow', 'trace'].map(
        (name) => `test/unit/policy/${name}`,
      ),
      ['test/unit/policy/'],
    ],
  },
};

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
    'docs',
    'package.json',
    'tsconfig.json',
    'openapi.yaml',
    'policy.schema.json',
  ]) {
    await cp(name, join(copy, name), { recursive: true });
  }
  await writeFile(
    join(copy, 'vitest.config.ts'),
    "export default { test: { include: ['test/**/*.test.ts'], testTimeout: 30_000, maxWorkers: 1, isolate: false, setupFiles: ['test/mutation/no-shrinking.ts'] } };\n",
  );
  await symlink(resolve('node_modules'), join(copy, 'node_modules'));
  await mkdir(join(copy, 'reports'), { recursive: true });
  return copy;
}

/** One vitest for all mutants: starting it anew would take ten times as long as most of the tests. */
interface Runner {
  readonly passes: (tests: readonly string[]) => Promise<boolean>;
  /** Forgets what was read of a file. */
  readonly changed: (path: string) => void;
  readonly close: () => Promise<void>;
}

const start = async (copy: string): Promise<Vitest> => {
  const vitest = await createVitest('test', {
    root: copy,
    config: join(copy, 'vitest.config.ts'),
    watch: false,
    reporters: [{}],
    bail: 1,
    teardownTimeout: 2_000,
  });
  // Ten thousand tokens each, and what they show is shown with fewer as well.
  vitest.setGlobalTestNamePattern(/^((?!10,000).)*$/);
  return vitest;
};

/** A worker that loops for ever does not end by itself. */
const endWorkers = (): void =>
  void spawnSync('pkill', ['-KILL', '-P', String(process.pid), '-f', 'vitest/suppress-warnings']);

async function createRunner(copy: string, timeLimitMs: number): Promise<Runner> {
  let vitest = await start(copy);
  const run = async (tests: readonly string[]): Promise<boolean> => {
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const specifications = await vitest.globTestSpecifications([...tests]);
      const asked = new Set(specifications.map(({ moduleId }) => moduleId));
      const result = await vitest.runTestSpecifications(specifications);
      // The result has the files of earlier runs as well.
      const modules = result.testModules.filter(({ moduleId }) => asked.has(moduleId));
      const hasFailed = modules.some(
        (module) => module.errors().length > 0 || [...module.children.allTests('failed')].length > 0,
      );
      if (hasFailed || result.unhandledErrors.length > 0) return false;
      if (modules.length === asked.size && modules.every((module) => module.ok())) return true;
      // Nothing failed, but something did not run: the last run's bail came late and ended this one.
    }
    throw new Error(`these tests do not run: ${tests.join(' ')}`);
  };
  return {
    passes: async (tests) => {
      const limit = new AbortController();
      const outcome = await Promise.race([
        run(tests),
        setTimeout(timeLimitMs, undefined, { signal: limit.signal }).catch(() => undefined),
      ]);
      limit.abort();
      if (outcome !== undefined) return outcome;
      endWorkers();
      await vitest.close();
      vitest = await start(copy);
      return false;
    },
    changed: (path) => vitest.invalidateFile(path),
    close: () => vitest.close(),
  };
}

const runsFor = ({ tests, last }: Area, file?: string): readonly (readonly string[])[] =>
  last !== undefined && (file === undefined || last.sources.test(file)) ? [...tests, last.tests] : tests;

async function survives(runner: Runner, copy: string, file: string, mutant: Mutant, area: Area): Promise<boolean> {
  const original = await readFile(file, 'utf8');
  const place = join(copy, file);
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
  const isExplained = readExplanations(await readFile('docs/mutation.md', 'utf8'));
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
      for (const mutant of mutantsOf(file, await readFile(file, 'utf8'))) {
        made += 1;
        if (again !== undefined && !again.includes(toRow(file, mutant))) continue;
        if (made % Number(values.every) !== 0 || Date.now() > end) continue;
        if (isExplained(file, mutant)) {
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
