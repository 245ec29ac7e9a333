// POLICY_TEST_FILES: policy tests that must pass before a policy is applied, at the start and at every reload.
import { loadPolicyTests } from '../policy/trial/policy-test-document.ts';
import { runPolicyTests } from '../policy/trial/policy-test-run.ts';
import type { Policy } from '../policy/policy.ts';
import { ConfigurationError, type Problem } from '../problem.ts';
import type { ReadFile } from './environment.ts';

function testsOf(path: string, readFile: ReadFile) {
  let text: string;
  try {
    text = readFile(path).toString('utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigurationError([
      {
        location: 'POLICY_TEST_FILES',
        problem: `names a file that cannot be read (${code})`,
        fix: 'Check the path and its permissions',
      },
    ]);
  }
  return loadPolicyTests({ text, file: path }).tests;
}

/** Runs the tests of all files against the policy. Throws ConfigurationError that names each failed test. */
export function requirePolicyTests(policy: Policy, files: readonly string[], readFile: ReadFile): void {
  const problems: Problem[] = [];
  for (const file of files) {
    for (const { passed, test } of runPolicyTests(policy, testsOf(file, readFile)).results) {
      if (passed) continue;
      const problem = `the policy fails the test "${test.name}"`;
      problems.push({ location: test.position, problem, fix: 'Run `guest-token-proxy test` to see the difference' });
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
}
