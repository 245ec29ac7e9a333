// The parts of a test run, in their order, so that cheap checks fail first: `quick`, then `timers` and `service` side by
// side. Tests of the whole service mostly wait (for sockets, processes, time), so they run in more workers than there are
// cores. A worker runs one file after the other: each file gets our modules anew, and shares the libraries that were loaded
// before it. Contract, fault and e2e tests are one part, because a worker belongs to one part.
import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { StartOrder } from './test/support/start-order.ts';

/** Files that replace the timers. What another file left running would loop in the replaced time, so they run apart. */
const withFakeTimers = globSync('test/unit/**/*.test.ts').filter((file) =>
  readFileSync(file, 'utf8').includes('useFakeTimers'),
);

/** Workers of the parts that mostly wait. */
const waiting = 5;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
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
          exclude: withFakeTimers,
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timers',
          include: withFakeTimers,
          maxWorkers: waiting,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/{contract,fault,e2e}/**/*.test.ts'],
          globalSetup: './test/support/build-program.ts',
          isolate: false,
          maxWorkers: waiting,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
