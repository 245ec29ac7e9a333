// The tests that mutation testing runs: unit tests, and tests with a real Redis, because only these test the Redis
// link. If a unit test notices a change, the slower tests are not run for it.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        // A test that hangs fails before Stryker's own time limit, which would start a new process.
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 3_000, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'redis',
          include: ['test/e2e/redis/{link,lock,tokens,limits}.test.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
