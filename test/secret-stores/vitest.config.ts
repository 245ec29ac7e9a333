// The tests with real secret stores, separate from the others because their servers take minutes to build. Run by
// .ci/secret-stores.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/secret-stores/*.real.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
