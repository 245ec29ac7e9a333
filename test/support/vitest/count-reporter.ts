// Writes the numbers of passed, failed and skipped tests for test/run.ts.
import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const file = process.env['TEST_COUNTS_FILE'];
    if (file === undefined) return;
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] as string[] };
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') counts.failed += 1;
        else counts.skipped.push(test.fullName);
      }
    }
    writeFileSync(file, JSON.stringify(counts));
  }
}
