// What a change of policy changes for given claims: every field of the body that differs and, where that can be decided,
// whether the new policy gives more (wider) or less (narrower). Pure; for the command `diff` and the playground.
import type { Claims } from '../../authn/principal.ts';
import { decide } from '../decide.ts';
import type { Decision } from '../decision.ts';
import type { Policy } from '../policy.ts';
import { treeDifferences } from '../tree-difference.ts';
import { bodyOf } from './policy-test-run.ts';
import { trialTimeMs, unverifiedPrincipal } from './unverified-principal.ts';

export type Direction = 'wider' | 'narrower' | 'changed';

export interface FieldChange {
  /** `decision`, a field of the body, or a filter as `params.appFilters[revenue].values.country`. */
  readonly path: string;
  readonly direction: Direction;
  /** Absent: the old policy does not send it. */
  readonly before?: unknown;
  /** Absent: the new policy does not send it. */
  readonly after?: unknown;
}

export interface DiffSample {
  /** What the claims are called in the report. */
  readonly name: string;
  readonly claims: Claims;
  /** Absent: every data app of both policies. */
  readonly dataApp?: string | undefined;
}

export interface SampleDiff {
  readonly name: string;
  readonly dataApp: string;
  readonly changes: readonly FieldChange[];
}

type Tree = Readonly<Record<string, unknown>>;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const member = (value: unknown, name: string): unknown =>
  isTree(value) && Object.hasOwn(value, name) ? value[name] : undefined;
const same = (a: unknown, b: unknown): boolean => treeDifferences(a, b).next().done === true;

const isSubset = (part: ReadonlySet<unknown>, whole: ReadonlySet<unknown>): boolean =>
  [...part].every((value) => whole.has(value));

/** Of two sets of permitted values: the one that holds the other is wider. */
function bySets(before: unknown, after: unknown): Direction {
  const toSet = (value: unknown) => new Set<unknown>(Array.isArray(value) ? value : [value]);
  const [old, now] = [toSet(before), toSet(after)];
  if (isSubset(old, now)) return 'wider';
  return isSubset(now, old) ? 'narrower' : 'changed';
}

const isRange = (value: unknown, from: string, to: string): boolean =>
  member(value, from) !== undefined && member(value, to) !== undefined;

/** Of two values of the same filter: more rows are wider. */
function byFilterValues(before: unknown, after: unknown): Direction {
  for (const [from, to] of [
    ['startDate', 'endDate'],
    ['min', 'max'],
  ] as const) {
    if (!isRange(before, from, to) || !isRange(after, from, to)) continue;
    type End = number | string;
    const [a, b, c, d] = [member(before, from), member(before, to), member(after, from), member(after, to)] as End[];
    if (a === undefined || b === undefined || c === undefined || d === undefined) return 'changed';
    if (c <= a && d >= b) return 'wider';
    return c >= a && d <= b ? 'narrower' : 'changed';
  }
  return isTree(before) || isTree(after) ? 'changed' : bySets(before, after);
}

const filterLists = ['appFilters', 'rlsSettings', 'dashboardAppFilters'];

/** Filters by path: an entry for each value, and for isShowOnUrl. Several entries of one id are numbered. */
function filtersOf(body: Tree): ReadonlyMap<string, unknown> {
  const filters = new Map<string, unknown>();
  for (const list of filterLists) {
    const seen = new Map<string, number>();
    for (const entry of (member(body['params'], list) ?? []) as readonly unknown[]) {
      const id = String(member(entry, 'metricId') ?? member(entry, 'dashboardId'));
      const count = (seen.get(id) ?? 0) + 1;
      seen.set(id, count);
      const path = `params.${list}[${count === 1 ? id : `${id} #${count}`}]`;
      for (const [name, value] of Object.entries(member(entry, 'values') ?? {}))
        filters.set(`${path}.values.${name}`, value);
      if (list === 'dashboardAppFilters') filters.set(`${path}.isShowOnUrl`, member(entry, 'isShowOnUrl') ?? true);
    }
  }
  return filters;
}

function filterChanges(before: Tree, after: Tree): readonly FieldChange[] {
  const [old, now] = [filtersOf(before), filtersOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((path): readonly FieldChange[] => {
    const isFlag = path.endsWith('.isShowOnUrl');
    if (!old.has(path)) return isFlag ? [] : [{ path, direction: 'narrower', after: now.get(path) }];
    if (!now.has(path)) return isFlag ? [] : [{ path, direction: 'wider', before: old.get(path) }];
    const [was, is] = [old.get(path), now.get(path)];
    if (same(was, is)) return [];
    const direction = isFlag ? (is === true ? 'wider' : 'narrower') : byFilterValues(was, is);
    return [{ path, direction, before: was, after: is }];
  });
}

function embedChanges(before: Tree, after: Tree): readonly FieldChange[] {
  const path = 'params.allowedEmbeds';
  const [was, is] = [member(before['params'], 'allowedEmbeds'), member(after['params'], 'allowedEmbeds')];
  if (was === undefined && is === undefined) return [];
  // Without the list a token opens every embed of the data app.
  if (was === undefined) return [{ path, direction: 'narrower', after: is }];
  if (is === undefined) return [{ path, direction: 'wider', before: was }];
  const [old, now] = [new Set(was as readonly unknown[]), new Set(is as readonly unknown[])];
  if (old.size === now.size && isSubset(old, now)) return [];
  return [{ path, direction: bySets(was, is), before: was, after: is }];
}

function fieldDirection(path: string, before: unknown, after: unknown): Direction {
  if (path === 'expiryTime') return Number(after) > Number(before) ? 'wider' : 'narrower';
  if (path === 'clientId') return after === 'None' ? 'wider' : before === 'None' ? 'narrower' : 'changed';
  // A permission that is left out is Databrain's to decide.
  if (!path.startsWith('permissions.') || typeof before !== 'boolean' || typeof after !== 'boolean') return 'changed';
  const gives = path === 'permissions.isDisableMetricCreation' ? !after : after;
  return gives ? 'wider' : 'narrower';
}

/** What is compared field by field: everything but lists that are sets. */
function plainFields(body: Tree): Tree {
  const params = Object.entries(member(body, 'params') ?? {});
  const plain = params.filter(([name]) => !filterLists.includes(name) && name !== 'allowedEmbeds');
  return { ...body, params: Object.fromEntries(plain), permissions: body['permissions'] ?? {} };
}

function bodyChanges(before: Tree, after: Tree): readonly FieldChange[] {
  const plain = [...treeDifferences(plainFields(before), plainFields(after))].map(
    ({ path, left, right }): FieldChange => ({
      path,
      direction: fieldDirection(path, left?.value, right?.value),
      ...(left && { before: left.value }),
      ...(right && { after: right.value }),
    }),
  );
  return [...plain, ...embedChanges(before, after), ...filterChanges(before, after)];
}

const verdict = (decision: Decision): string =>
  decision.kind === 'permit' ? 'permit' : `deny (${decision.denial.reason})`;

/** What one set of claims gets by both policies for one data app. */
function compareDecisions(before: Decision, after: Decision): readonly FieldChange[] {
  if (before.kind === 'permit' && after.kind === 'permit') {
    const key = {
      path: 'apiKey',
      direction: 'changed',
      before: before.grant.apiKeyName,
      after: after.grant.apiKeyName,
    } as const;
    return [...(key.before === key.after ? [] : [key]), ...bodyChanges(bodyOf(before.grant), bodyOf(after.grant))];
  }
  const [was, is] = [verdict(before), verdict(after)];
  if (was === is) return [];
  const direction = after.kind === 'permit' ? 'wider' : before.kind === 'permit' ? 'narrower' : 'changed';
  return [{ path: 'decision', direction, before: was, after: is }];
}

/** Decides every sample by both policies, at the time of its claims. Only what differs is in the result. */
export function diffPolicies(before: Policy, after: Policy, samples: readonly DiffSample[]): readonly SampleDiff[] {
  const names = [...new Set([...before.dataApps.keys(), ...after.dataApps.keys()])];
  return samples.flatMap(({ name, claims, dataApp }) =>
    (dataApp === undefined ? names : [dataApp]).flatMap((asked) => {
      const nowMs = trialTimeMs(claims);
      const by = (policy: Policy): Decision =>
        decide(policy, unverifiedPrincipal(structuredClone(claims), nowMs), asked, nowMs);
      const changes = compareDecisions(by(before), by(after));
      return changes.length === 0 ? [] : [{ name, dataApp: asked, changes }];
    }),
  );
}
