// The parts of a test run, in their order, so that cheap checks fail first: `quick`, then `apart` and `service` side by
// side. Tests of the whole service mostly wait (for sockets, processes, time), so they run in more workers than there are
// cores. A worker runs one file after the other: each file gets our modules anew, and shares the libraries that were loaded
// before it. Contract, fault and e2e tests are one part, because a worker belongs to one part.
import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { StartOrder } from './test/support/vitest/start-order.ts';

/**
 * Files that replace the timers, or count what their process does (hashes, promises, parsed texts). What another file left
 * running would loop in the replaced time, or be counted, so each of them has its own process.
 */
const needsOwnProcess = globSync('test/{unit,fault}/**/*.test.ts').filter((file) =>
  /useFakeTimers|countHashes|createHook/.test(readFileSync(file, 'utf8')),
);

/** Workers of the parts that mostly wait. */
const waiting = 5;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/vitest/count-reporter.ts'],
    silent: 'passed-only',
    slowTestThreshold: 5_000,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    sequence: { sequencer: StartOrder },
    projects: [
      {
        extends: true,
        // One process for all files: nothing here changes what files share.
        test: {
          name: 'quick',
          include: ['test/{unit,policy,policy-examples}/**/*.test.ts'],
          exclude: needsOwnProcess,
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'apart',
          include: needsOwnProcess,
          maxWorkers: waiting,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/{contract,fault,e2e}/**/*.test.ts'],
          exclude: needsOwnProcess,
          globalSetup: './test/support/programs/build-program.ts',
          isolate: false,
          maxWorkers: waiting,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
