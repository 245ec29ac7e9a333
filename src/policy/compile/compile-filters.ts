// Compiles the lists in `request`: strings, and filters with an optional `when`. A filter value is a scalar, a list of
// strings or one of three objects. Objects are only written in the file, never taken from a claim, so a claim cannot
// become SQL.
import { isJsonObject, memberOf, type JsonObject } from '../../strict-json.ts';
import { denied } from '../decision.ts';
import type { Path } from '../../strict-yaml.ts';
import type { Evaluation } from '../expression/evaluation.ts';
import type { Reference } from '../policy.ts';
import { expressionIn } from '../document/field-schema.ts';
import type { ExpectedType } from '../expression/read-expression.ts';
import {
  completeObjectField,
  conditionalListField,
  constant,
  splicedListField,
  type ConditionalField,
  type Field,
} from './field.ts';
import type { PolicyCompiler, ScalarOptions } from './policy-compiler.ts';
import {
  dashboardFilterRule,
  dateRule,
  flagRule,
  listRule,
  literalFilterTextRule,
  metricFilterRule,
  nameRule,
  numberRule,
  type Rule,
} from './value-rules.ts';

/** A value of `request` with its paths in the file and in the body. */
export interface Place {
  readonly value: unknown;
  /** The whole path in the file. */
  readonly path: Path;
  /** Below `request`, with the file's indexes. */
  readonly sitePath: string;
  /** With the body's indexes; `index` is the index of the entry in its filter list. */
  readonly bodyPath: (index: number) => string;
}

/** The place of a member. */
const below = ({ value, path, sitePath, bodyPath }: Place, name: string): Place => ({
  value: memberOf(value, name),
  path: [...path, name],
  sitePath: `${sitePath}.${name}`,
  bodyPath: (index) => `${bodyPath(index)}.${name}`,
});

export interface FilterScope {
  readonly compiler: PolicyCompiler;
  readonly references: Reference[];
  /** The rule for filter values from expressions. */
  readonly filterText: Rule<string>;
}

const filterValue = { kind: 'filterValue', reason: 'filter_value_refused' } as const;

interface ValueKind<T> {
  readonly rule: Rule<T>;
  readonly expected: ExpectedType;
  /** The fix for a refused literal. */
  readonly fix?: ScalarOptions<T>['fix'];
}

/** A value that is one scalar, with the same rule for literals and for results of expressions. */
export const valueField = <T>(
  compiler: PolicyCompiler,
  { path, value, sitePath, bodyPath }: Place,
  { rule, expected, fix }: ValueKind<T>,
): Field<T> | undefined =>
  compiler.scalar(path, value, sitePath, {
    kind: 'value',
    reason: 'value_refused',
    expected: [expected],
    rule,
    literalRule: rule,
    fix: fix ?? 'Write a string that is not blank, of at most 256 characters',
    bodyPath,
  });

/** A list of strings in the file. Each element is a literal, or an expression with a string or a list as result. */
export function textListField(
  compiler: PolicyCompiler,
  { value, path, sitePath, bodyPath }: Place,
  options: Pick<ScalarOptions<unknown>, 'kind' | 'reason'> & {
    readonly element: Rule<string>;
    readonly literalElement: Rule<string>;
    readonly allowEmpty: boolean;
    readonly onLiteral?: (value: string, path: Path) => void;
  },
): Field<readonly string[]> | undefined {
  const many = listRule(options.element, true);
  const sites = new Map<number, number>();
  const fields = (value as readonly unknown[]).map((item, i) => {
    if (expressionIn(item) !== undefined) sites.set(i, compiler.sites.length);
    else if (typeof item === 'string') options.onLiteral?.(item, [...path, i]);
    return compiler.scalar<string | readonly string[]>([...path, i], item, `${sitePath}[${i}]`, {
      kind: options.kind,
      reason: options.reason,
      expected: ['string', 'list'],
      rule: (given, refuse, pay) =>
        Array.isArray(given) ? many(given, refuse, pay) : options.element(given, refuse, pay),
      literalRule: options.literalElement,
    });
  });
  if (!fields.every((field) => field !== undefined)) return undefined;

  const lastSite = [...sites.values()].map((id) => compiler.sites[id]).at(-1);
  return splicedListField(
    fields,
    (list) => {
      if (list.length > 0 || options.allowEmpty || lastSite === undefined) return list;
      const denial = { code: 'ACCESS_DENIED', reason: options.reason, position: lastSite.position } as const;
      throw denied(denial, `${sitePath} is an empty list`);
    },
    (evaluation, index, item, from, to) => {
      const site = compiler.sites[sites.get(item) ?? -1];
      for (let at = from; site !== undefined && at < to; at += 1)
        evaluation.trace?.placed(site, `${bodyPath(index)}[${at}]`);
    },
  );
}

/** `{ startDate, endDate }` and `{ min, max }`. The first must not be greater than the second. */
function rangeField<T extends string | number>(
  compiler: PolicyCompiler,
  place: Place,
  names: readonly [string, string],
  options: { readonly rule: Rule<T>; readonly expected: readonly ExpectedType[]; readonly fix: string },
): Field<unknown> | undefined {
  const firstSite = compiler.sites.length;
  const range = completeObjectField(
    names.map((name) => {
      const { value, path, sitePath, bodyPath } = below(place, name);
      const common = { ...filterValue, ...options, literalRule: options.rule, bodyPath };
      return [name, compiler.scalar<T>(path, value, sitePath, common)] as const;
    }),
  );
  if (range === undefined) return undefined;
  const inOrder = (ends: JsonObject): boolean => (ends[names[0]] as T) <= (ends[names[1]] as T);
  const problem = `${place.sitePath}.${names[0]} is after ${names[1]}`;
  if (range.constant) {
    if (!inOrder(range.value)) compiler.report(place.path, problem, 'Swap the two');
    return range;
  }
  const site = compiler.sites[firstSite];
  return {
    constant: false,
    compute: (evaluation, index) => {
      const ends = range.compute(evaluation, index);
      if (!inOrder(ends) && site !== undefined)
        throw denied({ code: 'ACCESS_DENIED', reason: filterValue.reason, position: site.position }, problem);
      return ends;
    },
  };
}

function filterValueField(scope: FilterScope, isMetric: boolean, place: Place): Field<unknown> | undefined {
  const { compiler } = scope;
  const { value, path, sitePath, bodyPath } = place;
  if (Array.isArray(value))
    return textListField(compiler, place, {
      ...filterValue,
      element: scope.filterText,
      literalElement: literalFilterTextRule,
      allowEmpty: false,
    });
  if (isJsonObject(value)) {
    if ('startDate' in value)
      return rangeField(compiler, place, ['startDate', 'endDate'], {
        rule: dateRule,
        expected: ['string'],
        fix: 'Write a day as YYYY-MM-DD',
      });
    if ('min' in value)
      return rangeField(compiler, place, ['min', 'max'], {
        rule: numberRule,
        expected: ['number'],
        fix: 'Write a finite number',
      });
    return completeObjectField(Object.entries(value).map(([name, member]) => [name, constant(member)]));
  }
  const expected: readonly ExpectedType[] = isMetric ? ['string', 'list', 'bool', 'number'] : ['string', 'list'];
  const rule = isMetric ? metricFilterRule : dashboardFilterRule;
  return compiler.scalar<unknown>(path, value, sitePath, {
    ...filterValue,
    expected,
    rule: rule(scope.filterText),
    literalRule: rule(literalFilterTextRule),
    bodyPath,
  });
}

function filterField(
  scope: FilterScope,
  idName: 'metricId' | 'dashboardId',
  entry: Place,
): ConditionalField<unknown> | undefined {
  const { compiler, references } = scope;
  const { value, path, sitePath } = entry;
  const members = value as JsonObject;
  const when = members['when'];
  const condition =
    when === undefined
      ? undefined
      : compiler.condition([...path, 'when'], when, { kind: 'when', path: `${sitePath}.when` });

  const member = (name: string): Field<unknown> | undefined => {
    const place = below(entry, name);
    if (name === 'isShowOnUrl') return valueField(compiler, place, { rule: flagRule, expected: 'bool' });
    if (name === idName) {
      const kind = idName === 'metricId' ? 'metric' : 'dashboard';
      if (typeof place.value === 'string' && expressionIn(place.value) === undefined)
        references.push({ kind, id: place.value, position: compiler.positionOf(place.path) });
      return valueField(compiler, place, { rule: nameRule, expected: 'string' });
    }
    const filters = Object.keys(place.value as JsonObject);
    const isMetric = idName === 'metricId';
    return completeObjectField(
      filters.map((filter) => [filter, filterValueField(scope, isMetric, below(place, filter))] as const),
    );
  };

  const names = Object.keys(members).filter((name) => name !== 'when');
  const field = completeObjectField(names.map((name) => [name, member(name)] as const));
  if (field === undefined || (when !== undefined && condition === undefined)) return undefined;
  return { condition: condition && ((evaluation: Evaluation) => condition.holds(evaluation)), field };
}

/** A list of filters; undefined after a problem. */
export function filterListField(
  scope: FilterScope,
  idName: 'metricId' | 'dashboardId',
  { value, path, sitePath, bodyPath }: Place,
): Field<readonly unknown[]> | undefined {
  const entries = (value as readonly unknown[]).map((entry, i) =>
    filterField(scope, idName, {
      value: entry,
      path: [...path, i],
      sitePath: `${sitePath}[${i}]`,
      bodyPath: (index) => `${bodyPath(index)}[${index}]`,
    }),
  );
  return entries.every((entry) => entry !== undefined) ? conditionalListField(entries) : undefined;
}
