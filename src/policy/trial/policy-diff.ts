// Compares two policies for given claims: every field of the body that differs and, if it can be decided, whether the
// new policy grants more (wider) or less (narrower). Pure; used by the command `diff` and the playground.
import { isJsonObject, memberOf, type JsonObject } from '../../strict-json.ts';
import type { Claims } from '../../authn/principal.ts';
import { decide } from '../decide.ts';
import type { Decision, Grant } from '../decision.ts';
import type { Policy } from '../policy.ts';
import { treeDifferences } from '../tree-difference.ts';
import { filterLists, forbiddingPermissions } from '../upstream-request.ts';
import { bodyOf } from './policy-test-run.ts';
import { trialTimeMs, unverifiedPrincipal } from './unverified-principal.ts';

export type Direction = 'wider' | 'narrower' | 'changed';

export interface FieldChange {
  /** `decision`, a field of the body, or a filter as `params.appFilters[revenue].values.country`. */
  readonly path: string;
  readonly direction: Direction;
  /** Undefined, and not in the output: the old policy does not send it. */
  readonly before?: unknown;
  /** Undefined, and not in the output: the new policy does not send it. */
  readonly after?: unknown;
}

export interface DiffSample {
  /** The name of the claims in the report. */
  readonly name: string;
  readonly claims: Claims;
  /** Absent: every data app of both policies. */
  readonly dataApp?: string | undefined;
}

export interface SampleDiff {
  readonly name: string;
  /** Empty: no data app is named. */
  readonly dataApp: string;
  readonly changes: readonly FieldChange[];
}

const same = (a: unknown, b: unknown): boolean => treeDifferences(a, b).next().done === true;

const isSubset = (part: ReadonlySet<unknown>, whole: ReadonlySet<unknown>): boolean =>
  [...part].every((value) => whole.has(value));

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Of two sets of permitted values, the one that contains the other is wider. No change if the sets are equal. */
function bySets(before: readonly unknown[], after: readonly unknown[]): Direction | undefined {
  const [old, now] = [new Set(before), new Set(after)];
  // Databrain may take an empty list for no list at all.
  if (old.size === 0 || now.size === 0) return old.size === now.size ? undefined : 'changed';
  if (isSubset(old, now)) return isSubset(now, old) ? undefined : 'wider';
  return isSubset(now, old) ? 'narrower' : 'changed';
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isDate = (value: unknown): value is string => typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value);

/** From and to, if both ends of both ranges are of a kind that can be compared. */
function rangesOf<End>(
  before: JsonObject,
  after: JsonObject,
  names: readonly [string, string],
  isEnd: (v: unknown) => v is End,
) {
  const ends = [before, after].flatMap((range) => names.map((name) => memberOf(range, name)));
  const [a, b, c, d] = ends;
  return isEnd(a) && isEnd(b) && isEnd(c) && isEnd(d) ? { from: a, to: b, newFrom: c, newTo: d } : undefined;
}

/** Of two values of a filter, the one that permits more rows is wider. */
function byFilterValues(before: unknown, after: unknown): Direction | undefined {
  if (same(before, after)) return undefined;
  if (isJsonObject(before) && isJsonObject(after)) {
    const ranges =
      rangesOf(before, after, ['min', 'max'], isNumber) ?? rangesOf(before, after, ['startDate', 'endDate'], isDate);
    if (ranges === undefined) return 'changed';
    const { from, to, newFrom, newTo } = ranges;
    if (newFrom <= from && newTo >= to) return 'wider';
    return newFrom >= from && newTo <= to ? 'narrower' : 'changed';
  }
  if (isJsonObject(before) || isJsonObject(after)) return 'changed';
  const toList = (value: unknown): readonly unknown[] => (isList(value) ? value : [value]);
  // Databrain may treat one value and a list with this value differently.
  return bySets(toList(before), toList(after)) ?? (isList(before) === isList(after) ? undefined : 'changed');
}

interface FilterField {
  readonly path: string;
  /** Whether the user can see and change the value in the page's address. Then it protects nothing. */
  readonly isFlag: boolean;
  /** One, unless several entries have the same id and name; how Databrain joins those is not known. */
  readonly values: unknown[];
}

function filtersOf(body: JsonObject): ReadonlyMap<string, FilterField> {
  const fields = new Map<string, FilterField>();
  const add = (path: string, isFlag: boolean, value: unknown): void => {
    const key = JSON.stringify([path, isFlag]);
    const field = fields.get(key) ?? { path, isFlag, values: [] };
    field.values.push(value);
    fields.set(key, field);
  };
  for (const list of filterLists) {
    for (const entry of (memberOf(body['params'], list) ?? []) as readonly unknown[]) {
      const path = `params.${list}[${String(memberOf(entry, 'metricId') ?? memberOf(entry, 'dashboardId'))}]`;
      for (const [name, value] of Object.entries(memberOf(entry, 'values') ?? {}))
        add(`${path}.values.${name}`, false, value);
      if (memberOf(entry, 'dashboardId') !== undefined)
        add(`${path}.isShowOnUrl`, true, memberOf(entry, 'isShowOnUrl') ?? true);
    }
  }
  return fields;
}

const single = ({ values }: FilterField): unknown => (values.length === 1 ? values[0] : values);

function filterChanges(before: JsonObject, after: JsonObject): readonly FieldChange[] {
  const [old, now] = [filtersOf(before), filtersOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key): readonly FieldChange[] => {
    const [was, is] = [old.get(key), now.get(key)];
    const { path, isFlag } = was ?? is ?? { path: key, isFlag: false };
    if (was === undefined || is === undefined) {
      if (isFlag) return [];
      if (is !== undefined) return [{ path, direction: 'narrower', after: single(is) }];
      return was === undefined ? [] : [{ path, direction: 'wider', before: single(was) }];
    }
    const values = { before: single(was), after: single(is) };
    if (was.values.length > 1 || is.values.length > 1)
      return same(was.values, is.values) ? [] : [{ path, direction: 'changed', ...values }];
    const byFlag = values.after === values.before ? undefined : values.after === true ? 'wider' : 'narrower';
    const direction = isFlag ? byFlag : byFilterValues(values.before, values.after);
    return direction === undefined ? [] : [{ path, direction, ...values }];
  });
}

/** Without the list a token opens every embed of the data app. */
function embedChanges(before: JsonObject, after: JsonObject): readonly FieldChange[] {
  const path = 'params.allowedEmbeds';
  const [was, is] = [memberOf(before['params'], 'allowedEmbeds'), memberOf(after['params'], 'allowedEmbeds')];
  if (!isList(was)) return isList(is) ? [{ path, direction: 'narrower', after: is }] : [];
  if (!isList(is)) return [{ path, direction: 'wider', before: was }];
  const direction = bySets(was, is);
  return direction === undefined ? [] : [{ path, direction, before: was, after: is }];
}

/** Names of filters that are hidden from the user: fewer names are wider. */
function hiddenChanges(before: JsonObject, after: JsonObject): readonly FieldChange[] {
  const path = 'params.hideDashboardFilters';
  const [was, is] = [
    memberOf(before['params'], 'hideDashboardFilters'),
    memberOf(after['params'], 'hideDashboardFilters'),
  ];
  const [old, now] = [was, is].map((value) => new Set(isList(value) ? value : []));
  if (old === undefined || now === undefined || (isSubset(old, now) && isSubset(now, old))) return [];
  const direction = isSubset(now, old) ? 'wider' : isSubset(old, now) ? 'narrower' : 'changed';
  return [{ path, direction, before: isList(was) ? was : undefined, after: isList(is) ? is : undefined }];
}

function fieldDirection(path: string, before: unknown, after: unknown): Direction {
  if (path === 'expiryTime') return Number(after) > Number(before) ? 'wider' : 'narrower';
  if (path === 'clientId') return after === 'None' ? 'wider' : before === 'None' ? 'narrower' : 'changed';
  // It opens the metrics that belong to this user alone.
  if (path === 'params.userIdentifier')
    return before === undefined ? 'wider' : after === undefined ? 'narrower' : 'changed';
  // Databrain decides about absent permissions.
  if (!path.startsWith('permissions.') || typeof before !== 'boolean' || typeof after !== 'boolean') return 'changed';
  const gives = forbiddingPermissions.includes(path.slice('permissions.'.length)) ? !after : after;
  return gives ? 'wider' : 'narrower';
}

/** The part that is compared field by field: everything but lists that are sets. */
function plainFields(body: JsonObject): JsonObject {
  const sets = [...filterLists, 'allowedEmbeds', 'hideDashboardFilters'];
  const params = Object.entries(memberOf(body, 'params') ?? {}).filter(([name]) => !sets.includes(name));
  return { ...body, params: Object.fromEntries(params), permissions: body['permissions'] ?? {} };
}

function bodyChanges(before: JsonObject, after: JsonObject): readonly FieldChange[] {
  const plain = [...treeDifferences(plainFields(before), plainFields(after))].map(
    ({ path, left, right }): FieldChange => ({
      path,
      direction: fieldDirection(path, left?.value, right?.value),
      before: left?.value,
      after: right?.value,
    }),
  );
  return [...plain, ...embedChanges(before, after), ...hiddenChanges(before, after), ...filterChanges(before, after)];
}

/** Differences outside the body: the API key, and whether the access token limits the lifetime. */
function termChanges(before: Grant, after: Grant): readonly FieldChange[] {
  const [was, is] = [before, after].map(({ notAfterMs }) => notAfterMs !== undefined);
  return [
    ...(before.apiKeyName === after.apiKeyName
      ? []
      : [{ path: 'apiKey', direction: 'changed', before: before.apiKeyName, after: after.apiKeyName } as const]),
    ...(was === is
      ? []
      : [{ path: 'withinAccessToken', direction: is ? 'narrower' : 'wider', before: was, after: is } as const]),
  ];
}

const verdict = (decision: Decision): string =>
  decision.kind === 'permit' ? 'permit' : `deny (${decision.denial.reason})`;

function compareDecisions(before: Decision, after: Decision): readonly FieldChange[] {
  if (before.kind === 'permit' && after.kind === 'permit') {
    const [was, is] = [before.grant, after.grant];
    return [...termChanges(was, is), ...bodyChanges(bodyOf(was), bodyOf(is))];
  }
  const [was, is] = [verdict(before), verdict(after)];
  if (was === is) return [];
  const direction = after.kind === 'permit' ? 'wider' : before.kind === 'permit' ? 'narrower' : 'changed';
  return [{ path: 'decision', direction, before: was, after: is }];
}

/** One side of the comparison: a principal and a policy. */
export interface TrialSide {
  readonly policy: Policy;
  readonly claims: Claims;
  /** Absent: the policy's default. */
  readonly dataApp?: string | undefined;
}

/** What differs for the second side. `nowMs` is wall time in milliseconds since the epoch. */
export function compareTrials(before: TrialSide, after: TrialSide, nowMs: number): readonly FieldChange[] {
  const [was, is] = [before, after].map(({ policy, claims, dataApp }) =>
    decide(policy, unverifiedPrincipal(structuredClone(claims), nowMs), dataApp, nowMs),
  );
  return was === undefined || is === undefined ? [] : compareDecisions(was, is);
}

/** The data app that is used when none is named. */
function defaultChange(before: Policy, after: Policy): readonly FieldChange[] {
  const [was, is] = [before, after].map(({ defaultDataApp }) => defaultDataApp?.name);
  return was === is ? [] : [{ path: 'default', direction: 'changed', before: was, after: is }];
}

/** Decides every sample by both policies, at the time of its claims. Returns only differences. */
export function diffPolicies(before: Policy, after: Policy, samples: readonly DiffSample[]): readonly SampleDiff[] {
  const names = [...new Set([...before.dataApps.keys(), ...after.dataApps.keys()])];
  const moved = defaultChange(before, after);
  return samples.flatMap(({ name, claims, dataApp }) => [
    ...(moved.length === 0 || dataApp !== undefined ? [] : [{ name, dataApp: '', changes: moved }]),
    ...(dataApp === undefined ? names : [dataApp]).flatMap((asked) => {
      const changes = compareTrials(
        { policy: before, claims, dataApp: asked },
        { policy: after, claims, dataApp: asked },
        trialTimeMs(claims),
      );
      return changes.length === 0 ? [] : [{ name, dataApp: asked, changes }];
    }),
  ]);
}
