// Runs chosen tests of a copy of the project, again and again, in one vitest.
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createVitest, type Vitest } from 'vitest/node';

/** Others may work in this tree, so it is never changed itself. */
export async function copyProject(): Promise<string> {
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
export interface Runner {
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

export async function createRunner(copy: string, timeLimitMs: number): Promise<Runner> {
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
