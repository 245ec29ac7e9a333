// Evaluates a policy, claims and tests for the policy playground: problems and lint by line, the explained decision,
// the same for a second user or policy, and the results of the policy tests. Pure: mints nothing, changes nothing, has
// no key. An operator typed the input; its size is limited here.
import type { Claims } from '../authn/principal.ts';
import { loadPolicy } from '../policy/compile/load-policy.ts';
import type { Policy } from '../policy/policy.ts';
import { coveredPercent } from '../policy/trial/coverage.ts';
import { explainDecision, type Explanation } from '../policy/trial/explain-decision.ts';
import { loadPolicyTests } from '../policy/trial/policy-test-document.ts';
import { runPolicyTests, type PolicyTestRun } from '../policy/trial/policy-test-run.ts';
import { compareTrials, type FieldChange } from '../policy/trial/policy-diff.ts';
import { collectProblems, type Problem } from '../problem.ts';

export interface PlaygroundInput {
  readonly policy: string;
  readonly claims: Claims;
  readonly dataApp?: string | undefined;
  /** The second user, policy or both, for the comparison. */
  readonly otherClaims?: Claims | undefined;
  readonly otherPolicy?: string | undefined;
  readonly tests?: string | undefined;
}

/** A problem with its position; line and column count from 1. */
export interface PlacedProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

interface Trial {
  readonly problems: readonly PlacedProblem[];
  /** Absent: the policy does not load. */
  readonly explanation?: Explanation | undefined;
}

export interface PlaygroundTest {
  readonly name: string;
  readonly line: number;
  readonly passed: boolean;
  /** The differences from the expected result, one per line. */
  readonly differences: readonly string[];
}

export interface PlaygroundResult extends Trial {
  readonly dataApps: readonly string[];
  readonly other?:
    | (Trial & {
        /**
         * What differs for the second, and whether it has more access; absent if one of the policies does not
         * load.
         */
        readonly changes?: readonly FieldChange[] | undefined;
      })
    | undefined;
  readonly tests?:
    | {
        readonly problems: readonly PlacedProblem[];
        readonly results: readonly PlaygroundTest[];
        readonly coveredPercent: number;
        readonly gaps: readonly PlacedProblem[];
      }
    | undefined;
}

const policyName = 'policy.yaml';
const testsName = 'tests.yaml';
/** The maximum number of decisions of one evaluation. Each blocks the process for at most some milliseconds. */
const maxTests = 200;

const place = (position: string): { readonly line: number; readonly column: number } => {
  const [, line = '1', column = '1'] = /:(\d+):(\d+)$/.exec(position) ?? [];
  return { line: Number(line), column: Number(column) };
};

const toPlaced =
  (severity: PlacedProblem['severity']) =>
  ({ location, problem, fix }: Problem): PlacedProblem => ({
    ...place(location),
    message: `${problem}. ${fix}.`,
    severity,
  });

function tryLoading<T>(load: () => T): { readonly loaded: T | undefined; readonly problems: readonly PlacedProblem[] } {
  const problems: Problem[] = [];
  return { loaded: collectProblems(problems, load), problems: problems.map(toPlaced('error')) };
}

const show = (side: { readonly value: unknown } | undefined): string =>
  side === undefined ? 'nothing' : (JSON.stringify(side.value) ?? 'nothing');

function testsOf(policy: Policy, text: string): NonNullable<PlaygroundResult['tests']> {
  const { loaded, problems } = tryLoading(() => loadPolicyTests({ text, file: testsName }));
  const empty = { results: [], coveredPercent: 0, gaps: [] };
  if (loaded === undefined) return { problems, ...empty };
  if (loaded.tests.length > maxTests) {
    const message = `The playground runs ${maxTests} tests at most. Use the command test for more.`;
    return { problems: [{ line: 1, column: 1, message, severity: 'error' }], ...empty };
  }
  const run: PolicyTestRun = runPolicyTests(policy, loaded.tests);
  const results = run.results.map(({ test, passed, outcome, differences }): PlaygroundTest => {
    const otherOutcome =
      passed || differences.length > 0
        ? []
        : [outcome.kind === 'denied' ? `was denied (${outcome.denial.reason}): ${outcome.problem}` : 'was permitted'];
    const lines = differences.map(
      ({ path, left, right }) => `${path || 'body'}: expected ${show(left)}, got ${show(right)}`,
    );
    return { name: test.name, line: place(test.position).line, passed, differences: [...otherOutcome, ...lines] };
  });
  const gaps = run.coverage.gaps.map(({ position, problem }): PlacedProblem => ({
    ...place(position),
    message: problem,
    severity: 'warning',
  }));
  return { problems: [], results, coveredPercent: coveredPercent(run.coverage), gaps };
}

export interface PlaygroundLimits {
  /** Upper bound for every `expiresIn`, as in the service. */
  readonly maxLifetimeSeconds: number;
  /** The names of the settings with API keys. */
  readonly apiKeyNames: readonly string[];
}

/** @param nowMs wall time in milliseconds since the epoch */
export type PlaygroundEvaluator = (input: PlaygroundInput, nowMs: number) => PlaygroundResult;

/** Creates the playground's only function. It does not throw, whatever the input. */
export function createPlaygroundEvaluator(limits: PlaygroundLimits): PlaygroundEvaluator {
  const load = (text: string) => tryLoading(() => loadPolicy({ text, file: policyName, ...limits }));

  return (input, nowMs) => {
    const { loaded: policy, problems } = load(input.policy);
    if (policy === undefined) return { problems, dataApps: [] };
    const explanation = explainDecision(policy, input.claims, input.dataApp, nowMs);
    const comparesAnything = input.otherClaims !== undefined || input.otherPolicy !== undefined;
    const another = input.otherPolicy === undefined ? { loaded: policy, problems: [] } : load(input.otherPolicy);
    const otherExplanation =
      another.loaded && comparesAnything
        ? explainDecision(another.loaded, input.otherClaims ?? input.claims, input.dataApp, nowMs)
        : undefined;
    const { claims, otherClaims = claims, dataApp } = input;
    const changes =
      another.loaded && comparesAnything
        ? compareTrials({ policy, claims, dataApp }, { policy: another.loaded, claims: otherClaims, dataApp }, nowMs)
        : undefined;
    return {
      problems: policy.lint.map(toPlaced('warning')),
      dataApps: [...policy.dataApps.keys()],
      explanation,
      other: comparesAnything ? { problems: another.problems, explanation: otherExplanation, changes } : undefined,
      tests: input.tests === undefined || input.tests.trim() === '' ? undefined : testsOf(policy, input.tests),
    };
  };
}
