// The tests that mutation testing runs: unit tests, and those with a real Redis, as its link is tested with nothing less.
// A change that a unit test notices does not wait for the slower ones.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        // A test that hangs fails before Stryker's own time is up, which would start a new process.
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 3_000, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'redis',
          include: ['test/e2e/redis-{link,lock,tokens,limits}.test.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
