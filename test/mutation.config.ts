// The tests that mutation testing runs: unit tests, and those with a real Redis, as its link is tested with nothing less.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts', 'test/e2e/redis-{link,lock,tokens,round-trips,limits}.test.ts'],
    testTimeout: 20_000,
  },
});
