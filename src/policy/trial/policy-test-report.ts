// Formats a run of policy tests: one line per test; below a failed one the differences and the expressions that caused
// them.
import { coveredPercent, type Coverage } from './coverage.ts';
import type { ExplainedDifference, PolicyTestResult } from './policy-test-run.ts';

const json = (value: unknown): string => JSON.stringify(value);

function differenceLines({ path, left, right, source }: ExplainedDifference): readonly string[] {
  return [
    path === '' ? '(the whole body)' : path,
    left === undefined ? '  - not expected' : `  - ${json(left.value)}`,
    right === undefined ? '  + absent' : `  + ${json(right.value)}`,
    ...(source === undefined ? [] : [`    from \${${source.expression}} at ${source.position}`]),
  ];
}

function denialLines({ outcome }: PolicyTestResult): readonly string[] {
  if (outcome.kind !== 'denied') return [];
  const { reason, position, claim, message } = outcome.denial;
  return [
    `refused: ${reason}${outcome.problem === '' ? '' : ` (${outcome.problem})`}`,
    ...(position === undefined ? [] : [`  at ${position}`]),
    ...(claim === undefined ? [] : [`  claim ${claim}`]),
    ...(message === undefined ? [] : [`  message ${json(message)}`]),
  ];
}

/** Why a test failed, line by line: `-` is expected, `+` is the actual result. Empty if it passed. */
export function failureLines(result: PolicyTestResult): readonly string[] {
  if (result.passed) return [];
  const { outcome, test } = result;
  if (outcome.kind === 'request') {
    if (test.expectation.kind === 'request') return result.differences.flatMap(differenceLines);
    return ['expected a refusal, but this would be sent:', ...JSON.stringify(outcome.body, null, 2).split('\n')];
  }
  if (test.expectation.kind === 'request') return ['expected a request, but it was', ...denialLines(result)];
  return [...result.differences.flatMap(differenceLines), ...denialLines(result)];
}

/** A passed or failed test as lines. */
export const resultLines = (result: PolicyTestResult): readonly string[] => [
  `${result.passed ? '✓' : '✗'} ${result.test.name}${result.passed ? '' : `  ${result.test.position}`}`,
  ...failureLines(result).map((line) => `    ${line}`),
];

/** The coverage of a policy as lines, with every gap. */
export const coverageLines = (coverage: Coverage): readonly string[] => [
  `Coverage ${coveredPercent(coverage)} % (${coverage.covered} of ${coverage.total} outcomes)`,
  ...coverage.gaps.map(({ position, problem }) => `  ${position}: ${problem}`),
];
