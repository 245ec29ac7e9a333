// npm test: static checks, then every vitest test. Ends with one line `N passed, N failed[, N skipped]`.
// With TEST_REQUIRE_ALL=1 a skipped test counts as failed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  passed: number;
  failed: number;
  skipped: string[];
}

const checks: readonly (readonly [title: string, command: string, args: readonly string[]])[] = [
  ['types', 'tsc', ['--noEmit']],
  ['types of the browser helper', 'tsc', ['-p', 'src/browser']],
  ['lint', 'eslint', ['--max-warnings', '0', '.']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
  ['unused code', 'knip', []],
];

let passed = 0;
let failed = 0;

for (const [title, command, args] of checks) {
  const ok = spawnSync(command, args, { stdio: 'inherit' }).status === 0;
  console.log(`${ok ? '✓' : '✗'} ${title}`);
  if (ok) passed += 1;
  else failed += 1;
}

const scratch = mkdtempSync(join(tmpdir(), 'guest-token-proxy-test-'));
const countsFile = join(scratch, 'counts.json');
const vitest = spawnSync('vitest', ['run', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, TEST_COUNTS_FILE: countsFile },
});
const counts: Counts = existsSync(countsFile)
  ? (JSON.parse(readFileSync(countsFile, 'utf8')) as Counts)
  : { passed: 0, failed: 1, skipped: [] };
rmSync(scratch, { recursive: true, force: true });

passed += counts.passed;
failed += counts.failed;
if (vitest.status !== 0 && counts.failed === 0) failed += 1;

const requireAll = process.env['TEST_REQUIRE_ALL'] === '1';
for (const name of counts.skipped)
  console.log(`${requireAll ? '✗ skipped though TEST_REQUIRE_ALL=1' : '- skipped'}: ${name}`);
if (requireAll) failed += counts.skipped.length;

const skipped = requireAll || counts.skipped.length === 0 ? '' : `, ${counts.skipped.length} skipped`;
console.log(`\n${passed} passed, ${failed} failed${skipped}`);
process.exitCode = failed === 0 ? 0 : 1;
