// Explains a decision: the exact body and, for each field, the expression, the claims it read and the value; or the
// rule that refused. It traces one real decision and evaluates nothing itself.
import type { Claims } from '../../authn/principal.ts';
import { decide } from '../decide.ts';
import type { Denial } from '../decision.ts';
import { bodyOf } from './policy-test-run.ts';
import type { Policy } from '../policy.ts';
import type { ExpressionSite, ExpressionSiteKind } from '../expression/decision-trace.ts';
import { unverifiedPrincipal } from './unverified-principal.ts';

/** A claim that an expression reads, directly or through a variable. */
export interface ReadClaim {
  /** Dotted path, such as `realm_access.roles`; `*` if the expression uses the claims set as a whole. */
  readonly name: string;
  /** Absent if the claims have none, and for `*`. */
  readonly value?: unknown;
}

/** A field of the body. */
export interface ExplainedField {
  /** With the body's indexes: `params.appFilters[0].values.country`. */
  readonly path: string;
  readonly value: unknown;
  /** Absent: the value is a literal of the policy file. */
  readonly expression?: string;
  readonly position?: string;
  readonly claims?: readonly ReadClaim[];
}

/** A variable, a validation or a `when`, with its result. */
export interface ExplainedRule {
  readonly kind: ExpressionSiteKind;
  readonly path: string;
  readonly position: string;
  readonly expression: string;
  readonly claims: readonly ReadClaim[];
  /** Its result; absent if it failed. */
  readonly value?: unknown;
  /** Why it failed. */
  readonly failed?: string;
}

export interface ExplainedDenial extends Denial {
  /** Why, in words. */
  readonly problem: string;
  /** The rule that refused, if it is an expression. */
  readonly rule?: Pick<ExplainedRule, 'path' | 'expression' | 'claims'> | undefined;
}

/** The output of `explain --json`, which is stable. */
export interface Explanation {
  readonly policy: { readonly file: string; readonly revision: string };
  readonly decision: 'permit' | 'deny';
  readonly dataApp?: string | undefined;
  /** Name of the setting that holds the API key. */
  readonly apiKey?: string;
  /** The exact body of the request to Databrain. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** What the audit line of a token for this body carries: the SHA-256 of its canonical JSON without `expiryTime`. */
  readonly requestSha256?: string;
  readonly fields?: readonly ExplainedField[];
  readonly denial?: ExplainedDenial;
  readonly rules: readonly ExplainedRule[];
}

/** The claim at a dotted path. Names of namespaced claims hold dots themselves. */
function claimAt(value: unknown, path: string): { readonly value: unknown } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, path)) return { value: (value as Record<string, unknown>)[path] };
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const outer = path.slice(0, dot);
    if (!Object.hasOwn(value, outer)) continue;
    const found = claimAt((value as Record<string, unknown>)[outer], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Converts CEL values to JSON: integers are bigint, maps are Map. */
const plain = (value: unknown): unknown => {
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return Number(inner);
    return inner instanceof Map ? (Object.fromEntries(inner) as unknown) : inner;
  });
  return JSON.parse(text ?? 'null') as unknown;
};

function claimReader(policy: Policy, claims: Claims): (site: ExpressionSite) => readonly ReadClaim[] {
  const variables = new Map(policy.sites.filter(({ kind }) => kind === 'variable').map((site) => [site.path, site]));
  const namesOf = (site: ExpressionSite, seen: Set<ExpressionSite>): readonly string[] => {
    if (seen.has(site)) return [];
    seen.add(site);
    const through = site.variables.flatMap((name) => {
      const variable = variables.get(`variables.${name}`);
      return variable === undefined ? [] : namesOf(variable, seen);
    });
    return [...site.claims, ...through];
  };
  return (site) =>
    [...new Set(namesOf(site, new Set()))].map((name) => ({ name, ...(name !== '*' && claimAt(claims, name)) }));
}

/** The leaves of the body, in order. A list or object from one expression is one leaf. */
function leaves(value: unknown, path: string, isPlaced: (path: string) => boolean): readonly ExplainedField[] {
  const isLeaf = typeof value !== 'object' || value === null || Object.keys(value).length === 0 || isPlaced(path);
  if (isLeaf) return [{ path, value }];
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object') && !value.some((_, index) => isPlaced(`${path}[${index}]`))) {
      return [{ path, value }];
    }
    return value.flatMap((item: unknown, index) => leaves(item, `${path}[${index}]`, isPlaced));
  }
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) =>
    leaves(item, path === '' ? name : `${path}.${name}`, isPlaced),
  );
}

/** Decides for unverified claims and explains the result. Never throws, whatever the claims. */
export function explainDecision(
  policy: Policy,
  claims: Claims,
  dataApp: string | undefined,
  nowMs: number,
): Explanation {
  const readClaims = claimReader(policy, claims);
  const rules: ExplainedRule[] = [];
  const placed = new Map<string, ExpressionSite>();
  let refusal: { readonly problem: string; readonly site: ExpressionSite | undefined } = {
    problem: '',
    site: undefined,
  };
  const decision = decide(policy, unverifiedPrincipal(claims, nowMs), dataApp, nowMs, {
    evaluated: (site, outcome) => {
      if (!['variable', 'availability', 'validation', 'when'].includes(site.kind)) return;
      const { kind, path, position, expression } = site;
      const result = outcome.kind === 'value' ? { value: plain(outcome.value) } : { failed: outcome.problem };
      rules.push({ kind, path, position, expression, claims: readClaims(site), ...result });
    },
    branch: () => undefined,
    placed: (site, path) => placed.set(path, site),
    refused: (problem, site) => {
      refusal = { problem, site };
    },
  });
  const about = { file: policy.file, revision: policy.revision };
  if (decision.kind === 'deny') {
    const name = dataApp ?? policy.defaultDataApp?.name;
    const { site } = refusal;
    const rule = site && { path: site.path, expression: site.expression, claims: readClaims(site) };
    return {
      policy: about,
      decision: 'deny',
      dataApp: name,
      denial: { ...decision.denial, problem: refusal.problem, rule },
      rules,
    };
  }
  const { grant } = decision;
  const body = bodyOf(grant);
  const fields = leaves(body, '', (path) => placed.has(path)).map((field): ExplainedField => {
    const site = placed.get(field.path);
    if (site === undefined) return field;
    return { ...field, expression: site.expression, position: site.position, claims: readClaims(site) };
  });
  const { apiKeyName: apiKey, requestSha256, request } = grant;
  const dataAppOfGrant = request.dataAppName;
  return { policy: about, decision: 'permit', dataApp: dataAppOfGrant, apiKey, body, requestSha256, fields, rules };
}
