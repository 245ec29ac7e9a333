// Finds the decisions of a policy that no test has exercised: a `when` that was never false, a validation that never
// refused, a branch of a ternary that was never taken, a data app without a token.
import type { Policy } from '../policy.ts';
import type { ExpressionSite, ExpressionSiteKind, DecisionTrace } from '../expression/decision-trace.ts';

export interface CoverageGap {
  /** `file:line:column`. */
  readonly position: string;
  /** What no test covers; holds the expression, never a claim's value. */
  readonly problem: string;
}

export interface Coverage {
  /** The number of possible outcomes: two for a condition or a ternary, one for a data app. */
  readonly total: number;
  readonly covered: number;
  /** The rest, in the file's order. */
  readonly gaps: readonly CoverageGap[];
}

export interface CoverageRecorder {
  readonly evaluated: DecisionTrace['evaluated'];
  readonly branch: DecisionTrace['branch'];
  readonly permitted: (dataApp: string) => void;
  readonly result: () => Coverage;
}

const gapTexts: Readonly<Partial<Record<ExpressionSiteKind, readonly [never: string, neverNot: string]>>> = {
  when: ['entry was never sent: no test makes this true', 'entry was never left out: no test makes this false'],
  availability: [
    'data app was never available: no test makes this true',
    'data app was always available: no test makes this false',
  ],
  validation: ['validation never passed', 'validation never refused'],
};

interface Target extends CoverageGap {
  readonly key: string;
}

const conditionKey = (site: ExpressionSite, value: boolean): string => `site ${site.id} ${value}`;
const ternaryKey = (site: ExpressionSite, ternary: number, taken: boolean): string =>
  `ternary ${site.id} ${ternary} ${taken}`;
const dataAppKey = (name: string): string => `data app ${name}`;

function targetsOf(site: ExpressionSite): readonly Target[] {
  const { position, expression } = site;
  const words = gapTexts[site.kind];
  const condition =
    words === undefined
      ? []
      : [
          { key: conditionKey(site, true), position, problem: `${words[0]} — ${expression}` },
          { key: conditionKey(site, false), position, problem: `${words[1]} — ${expression}` },
        ];
  const ternaries = site.ternaries.flatMap((ternary, index) =>
    [true, false].map((taken) => ({
      key: ternaryKey(site, index, taken),
      position: ternary.position,
      problem: `condition of "?:" was never ${taken} — ${ternary.condition}`,
    })),
  );
  return [...condition, ...ternaries];
}

/** Records what the decisions traced with it reach. One per policy. */
export function createCoverage(policy: Policy): CoverageRecorder {
  const reached = new Set<string>();
  const targets: Target[] = policy.sites.flatMap(targetsOf);
  for (const { name, position } of policy.dataApps.values()) {
    targets.push({ key: dataAppKey(name), position, problem: `no test gets a token for ${name}` });
  }
  return {
    evaluated: (site, outcome) => {
      if (outcome.kind === 'value' && typeof outcome.value === 'boolean')
        reached.add(conditionKey(site, outcome.value));
    },
    branch: (site, ternary, taken) => reached.add(ternaryKey(site, ternary, taken)),
    permitted: (dataApp) => reached.add(dataAppKey(dataApp)),
    result: () => {
      const gaps = targets
        .filter(({ key }) => !reached.has(key))
        .map(({ position, problem }) => ({ position, problem }));
      return { total: targets.length, covered: targets.length - gaps.length, gaps };
    },
  };
}

/** Share of what is covered, in percent, rounded down: 100 means everything. */
export const coveredPercent = ({ total, covered }: Coverage): number =>
  total === 0 ? 100 : Math.floor((covered / total) * 100);
