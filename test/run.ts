// npm test: static checks and all vitest tests. `npm test -- policy` runs only the test files whose path contains
// "policy". The last line is `N passed, N failed[, N skipped]`; with TEST_REQUIRE_ALL=1 a skipped test counts as
// failed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { summarizeSkipped } from './support/vitest/needs.ts';

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** The type check's results of the last run, which it reuses for unchanged files. */
const cache = 'node_modules/.cache/guest-token-proxy';
const types = (project: string): readonly string[] => [
  ...['-p', project, '--noEmit', '--incremental'],
  ...['--tsBuildInfoFile', join(cache, `${project.replaceAll('/', '-')}.tsbuildinfo`)],
];

const checks: readonly (readonly [title: string, command: string, args: readonly string[]])[] = [
  ['types', 'tsc', types('.')],
  ['types of the browser helper', 'tsc', types('src/browser')],
  ['types of the playground', 'tsc', types('src/playground/page')],
  ['unused code', 'knip', []],
  ['format', 'oxfmt', ['--check']],
  ['lint', 'oxlint', []],
];

/** Runs them one after the other at low priority, and prints the output of each as a whole. */
async function runChecks(): Promise<Counts> {
  let passed = 0;
  for (const [title, command, args] of checks) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid !== undefined) setPriority(child.pid, 10);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    const ok = await new Promise<boolean>((resolve) => {
      child.on('error', (error) => {
        output += error.message;
        resolve(false);
      });
      child.on('close', (status) => resolve(status === 0));
    });
    console.log(`${ok ? ' ✓' : `${output}\n ✗`} ${title}`);
    if (ok) passed += 1;
  }
  return { passed, failed: checks.length - passed, skipped: [] };
}

async function runVitest(args: readonly string[]): Promise<Counts> {
  const scratch = mkdtempSync(join(tmpdir(), 'guest-token-proxy-test-'));
  const countsFile = join(scratch, 'counts.json');
  const child = spawn('vitest', ['run', ...args], {
    stdio: 'inherit',
    env: { ...process.env, TEST_COUNTS_FILE: countsFile },
  });
  const status = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  const counts: Counts = existsSync(countsFile)
    ? (JSON.parse(readFileSync(countsFile, 'utf8')) as Counts)
    : { passed: 0, failed: 1, skipped: [] };
  rmSync(scratch, { recursive: true, force: true });
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

const args = process.argv.slice(2);
const isPart = args.length > 0;
if (isPart) console.log(`A part: vitest run ${args.join(' ')}. Types, lint, format and unused code are not checked.`);
const results = await Promise.all([runVitest(args), ...(isPart ? [] : [runChecks()])]);

const passed = results.reduce((sum, counts) => sum + counts.passed, 0);
const failed = results.reduce((sum, counts) => sum + counts.failed, 0);
const skipped = results.flatMap((counts) => counts.skipped);
const requireAll = process.env['TEST_REQUIRE_ALL'] === '1';
if (requireAll) for (const name of skipped) console.log(`✗ skipped though TEST_REQUIRE_ALL=1: ${name}`);
if (skipped.length > 0) console.log(`\n${summarizeSkipped(skipped)}`);

const failures = failed + (requireAll ? skipped.length : 0);
console.log(
  `\n${passed} passed, ${failures} failed${requireAll || skipped.length === 0 ? '' : `, ${skipped.length} skipped`}`,
);
process.exitCode = failures === 0 ? 0 : 1;
