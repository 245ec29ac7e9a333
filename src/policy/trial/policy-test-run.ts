// Runs policy tests: compares the whole body, or the denial, with the expected one. Pure; used by the command `test`
// and before a changed policy is applied.
import type { Claims } from '../../authn/principal.ts';
import { createCoverage, type Coverage } from './coverage.ts';
import { decide } from '../decide.ts';
import type { Denial, Grant } from '../decision.ts';
import { treeDifferences, type TreeDifference } from '../tree-difference.ts';
import { denialKeys, type PolicyTest } from './policy-test-document.ts';
import type { Policy } from '../policy.ts';
import type { ExpressionSite } from '../expression/decision-trace.ts';
import { trialTimeMs, unverifiedPrincipal } from './unverified-principal.ts';

/** The result of a policy for the claims of a test. */
export type TrialOutcome =
  | { readonly kind: 'request'; readonly body: Readonly<Record<string, unknown>> }
  /** `what` says why in words, without any claim's value. */
  | { readonly kind: 'denied'; readonly denial: Denial; readonly problem: string };

/** A difference between the expected (left) and the actual body (right), with the expression that caused it. */
export interface ExplainedDifference extends TreeDifference {
  readonly source?: Pick<ExpressionSite, 'expression' | 'position'> | undefined;
}

export interface PolicyTestResult {
  readonly test: PolicyTest;
  readonly passed: boolean;
  readonly outcome: TrialOutcome;
  /** Empty if passed, or if a request was expected and the result is a denial. */
  readonly differences: readonly ExplainedDifference[];
}

export interface PolicyTestRun {
  readonly results: readonly PolicyTestResult[];
  readonly failed: number;
  readonly coverage: Coverage;
}

/** The whole body of the request for a token minted now. */
export const bodyOf = (grant: Grant): Readonly<Record<string, unknown>> => ({
  ...grant.request,
  expiryTime: grant.lifetimeMs,
});

/** The site whose value is at `path` of the body, or that of the list around it. */
function sourceOf(
  path: string,
  placed: ReadonlyMap<string, ExpressionSite>,
): Pick<ExpressionSite, 'expression' | 'position'> | undefined {
  const site = placed.get(path) ?? placed.get(path.replace(/\[\d+\]$/, ''));
  return site === undefined ? undefined : { expression: site.expression, position: site.position };
}

function compareOutcome(test: PolicyTest, outcome: TrialOutcome): readonly TreeDifference[] | undefined {
  if (test.expectation.kind === 'request') {
    return outcome.kind === 'request' ? [...treeDifferences(test.expectation.body, outcome.body)] : undefined;
  }
  if (outcome.kind === 'request') return undefined;
  const { denial } = test.expectation;
  return denialKeys.flatMap((path): readonly TreeDifference[] => {
    const [value, got] = [denial[path], outcome.denial[path]];
    if (value === undefined || got === value) return [];
    return [{ path, left: { value }, right: got === undefined ? undefined : { value: got } }];
  });
}

/** Runs all tests; they are independent of each other, of the day and of the machine. */
export function runPolicyTests(policy: Policy, tests: readonly PolicyTest[]): PolicyTestRun {
  const coverage = createCoverage(policy);
  const results = tests.map((test): PolicyTestResult => {
    const placed = new Map<string, ExpressionSite>();
    let refusal = '';
    const nowMs = trialTimeMs(test.claims);
    const claims: Claims = structuredClone(test.claims);
    const decision = decide(policy, unverifiedPrincipal(claims, nowMs), test.dataApp, nowMs, {
      evaluated: coverage.evaluated,
      branch: coverage.branch,
      placed: (site, path) => placed.set(path, site),
      refused: (problem) => {
        refusal = problem;
      },
    });
    let outcome: TrialOutcome;
    if (decision.kind === 'permit') {
      coverage.permitted(decision.grant.request.dataAppName);
      outcome = { kind: 'request', body: bodyOf(decision.grant) };
    } else outcome = { kind: 'denied', denial: decision.denial, problem: refusal };

    const differences = compareOutcome(test, outcome)?.map((difference): ExplainedDifference => {
      const source = outcome.kind === 'request' ? sourceOf(difference.path, placed) : undefined;
      return { ...difference, source };
    });
    return { test, passed: differences?.length === 0, outcome, differences: differences ?? [] };
  });
  return { results, failed: results.filter(({ passed }) => !passed).length, coverage: coverage.result() };
}
