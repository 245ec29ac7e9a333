// POLICY_TEST_FILES: the policy tests that must pass before a policy is applied, at the start and at every reload.
import { collectProblems, ConfigurationError, unreadableFile, type Problem } from '../../problem.ts';
import type { Policy } from '../policy.ts';
import { loadPolicyTests, type PolicyTest } from './policy-test-document.ts';
import { runPolicyTests } from './policy-test-run.ts';

type ReadFile = (path: string) => Buffer;

function readTests(file: string, readFile: ReadFile): readonly PolicyTest[] {
  let content: Buffer;
  try {
    content = readFile(file);
  } catch (error) {
    const { problem, fix } = unreadableFile(error);
    throw new ConfigurationError([{ location: 'POLICY_TEST_FILES', problem: `names a file that ${problem}`, fix }]);
  }
  return loadPolicyTests({ text: content.toString('utf8'), file }).tests;
}

/** Throws ConfigurationError that names each file that does not load and each failed test. */
export function requirePolicyTests(policy: Policy, files: readonly string[], readFile: ReadFile): void {
  const problems: Problem[] = [];
  for (const file of files) {
    const tests = collectProblems(problems, () => readTests(file, readFile)) ?? [];
    for (const { passed, test } of runPolicyTests(policy, tests).results) {
      if (passed) continue;
      const problem = `the policy fails the test "${test.name}"`;
      problems.push({ location: test.position, problem, fix: 'Run `guest-token-proxy test` to see the difference' });
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
}
