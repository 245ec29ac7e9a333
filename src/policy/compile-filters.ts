// `appFilters`, `rlsSettings` and `dashboardAppFilters` of a data app: lists of entries with an optional `when`, values
// that are scalars, lists of texts or one of three shapes. An object's shape always stands in the file; no claim gives one.
import type { Evaluation } from './evaluation.ts';
import {
  conditionalListField,
  known,
  objectField,
  splicedListField,
  type ConditionalField,
  type Field,
} from './field.ts';
import { expressionIn, type ExpectedType, type PolicyCompiler, type ScalarOptions } from './policy-compiler.ts';
import type { Path } from './policy-document.ts';
import type { Reference } from './policy.ts';
import { Refusal } from './refusal.ts';
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

export interface RequestScope {
  readonly compiler: PolicyCompiler;
  readonly dataApp: string;
  /** Path of `request` in the file. */
  readonly root: Path;
  readonly references: Reference[];
  /** For texts that expressions give to filters. */
  readonly filterText: Rule<string>;
}

export type FilterListName = 'appFilters' | 'rlsSettings' | 'dashboardAppFilters';

type YamlMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is YamlMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A list of texts as the file writes it: every element a literal or an expression that gives a text or a list. */
export function textListField(
  scope: RequestScope,
  path: Path,
  items: readonly unknown[],
  sitePath: string,
  bodyPath: (index: number) => string,
  options: Pick<ScalarOptions<unknown>, 'kind' | 'reason'> & {
    readonly element: Rule<string>;
    readonly literalElement: Rule<string>;
    readonly allowEmpty: boolean;
    readonly onLiteral?: (value: string, path: Path) => void;
  },
): Field<readonly string[]> | undefined {
  const { compiler, dataApp } = scope;
  const many = listRule(options.element, true);
  const sites = new Map<number, number>();
  const fields = items.map((item, i) => {
    if (expressionIn(item) !== undefined) sites.set(i, compiler.sites.length);
    else if (typeof item === 'string') options.onLiteral?.(item, [...path, i]);
    return compiler.scalar<string | readonly string[]>([...path, i], item, dataApp, `${sitePath}[${i}]`, {
      kind: options.kind,
      reason: options.reason,
      expected: ['string', 'list'],
      rule: (value, refuse) => (Array.isArray(value) ? many(value, refuse) : options.element(value, refuse)),
      literalRule: options.literalElement,
    });
  });
  if (!fields.every((field) => field !== undefined)) return undefined;

  const lastSite = [...sites.values()].map((id) => compiler.sites[id]).at(-1);
  return splicedListField(
    fields,
    (list) => {
      if (list.length === 0 && !options.allowEmpty && lastSite !== undefined)
        throw new Refusal(options.reason, `${sitePath} is an empty list`, lastSite, undefined);
      return list;
    },
    (evaluation, index, item, from, to) => {
      const site = compiler.sites[sites.get(item) ?? -1];
      for (let at = from; site !== undefined && at < to; at += 1)
        evaluation.trace?.placed(site, `${bodyPath(index)}[${at}]`);
    },
  );
}

/** `{ startDate, endDate }` and `{ min, max }`: in order, or the range would be empty or turned round. */
function orderedField<T extends string | number>(
  scope: RequestScope,
  path: Path,
  value: YamlMap,
  names: readonly [string, string],
  sitePath: string,
  bodyPath: (index: number) => string,
  options: { readonly rule: Rule<T>; readonly expected: readonly ExpectedType[] },
): Field<unknown> | undefined {
  const firstSite = scope.compiler.sites.length;
  const fields = names.map((name) =>
    scope.compiler.scalar<T>([...path, name], value[name], scope.dataApp, `${sitePath}.${name}`, {
      kind: 'filterValue',
      reason: 'filter_value_refused',
      ...options,
      literalRule: options.rule,
      bodyPath: (index) => `${bodyPath(index)}.${name}`,
    }),
  );
  const [from, to] = fields;
  if (from === undefined || to === undefined) return undefined;
  const inOrder = (range: YamlMap): boolean => (range[names[0]] as T) <= (range[names[1]] as T);
  const what = `${sitePath}.${names[0]} is after ${names[1]}`;
  const range = objectField([
    [names[0], from],
    [names[1], to],
  ]);
  if (range.known) {
    if (!inOrder(range.value)) scope.compiler.problem(path, what, 'Swap the two');
    return range;
  }
  const site = scope.compiler.sites[firstSite];
  return {
    known: false,
    compute: (evaluation, index) => {
      const computed = range.compute(evaluation, index);
      if (!inOrder(computed) && site !== undefined) throw new Refusal('filter_value_refused', what, site, undefined);
      return computed;
    },
  };
}

function filterValueField(
  scope: RequestScope,
  list: FilterListName,
  path: Path,
  value: unknown,
  sitePath: string,
  bodyPath: (index: number) => string,
): Field<unknown> | undefined {
  const common = { kind: 'filterValue', reason: 'filter_value_refused' } as const;
  if (Array.isArray(value))
    return textListField(scope, path, value, sitePath, bodyPath, {
      ...common,
      element: scope.filterText,
      literalElement: literalFilterTextRule,
      allowEmpty: false,
    });
  if (isMap(value)) {
    if ('startDate' in value)
      return orderedField(scope, path, value, ['startDate', 'endDate'], sitePath, bodyPath, {
        rule: dateRule,
        expected: ['string'],
      });
    if ('min' in value)
      return orderedField(scope, path, value, ['min', 'max'], sitePath, bodyPath, {
        rule: numberRule,
        expected: ['number'],
      });
    return known(Object.freeze({ ...value }));
  }
  const metric = list !== 'dashboardAppFilters';
  const expected: readonly ExpectedType[] = metric ? ['string', 'list', 'bool', 'number'] : ['string', 'list'];
  const rule = metric ? metricFilterRule : dashboardFilterRule;
  return scope.compiler.scalar<unknown>(path, value, scope.dataApp, sitePath, {
    ...common,
    expected,
    rule: rule(scope.filterText),
    literalRule: rule(literalFilterTextRule),
    bodyPath,
  });
}

/** One filter list; undefined after a problem. */
export function filterListField(
  scope: RequestScope,
  name: FilterListName,
  entries: readonly YamlMap[],
): Field<readonly unknown[]> | undefined {
  const { compiler, dataApp, root, references } = scope;
  const idName = name === 'dashboardAppFilters' ? 'dashboardId' : 'metricId';

  const compiled = entries.map((entry, i): ConditionalField<unknown> | undefined => {
    const path = [...root, 'params', name, i];
    const sitePath = `params.${name}[${i}]`;
    const bodyPath = (below: string) => (index: number) => `params.${name}[${index}].${below}`;
    const when =
      entry['when'] === undefined
        ? undefined
        : compiler.condition([...path, 'when'], entry['when'], { kind: 'when', dataApp, path: `${sitePath}.when` });

    const fieldOf = (key: string): Field<unknown> | undefined => {
      const value = entry[key];
      if (key === idName) {
        if (expressionIn(value) === undefined && typeof value === 'string')
          references.push({
            kind: idName === 'metricId' ? 'metric' : 'dashboard',
            id: value,
            position: compiler.positionOf([...path, key]),
          });
        return compiler.scalar([...path, key], value, dataApp, `${sitePath}.${key}`, {
          kind: 'value',
          reason: 'value_refused',
          expected: ['string'],
          rule: nameRule,
          literalRule: nameRule,
          bodyPath: bodyPath(key),
        });
      }
      if (key === 'isShowOnUrl')
        return compiler.scalar([...path, key], value, dataApp, `${sitePath}.${key}`, {
          kind: 'value',
          reason: 'value_refused',
          expected: ['bool'],
          rule: flagRule,
          literalRule: flagRule,
          bodyPath: bodyPath(key),
        });
      const values = Object.entries(isMap(value) ? value : {}).map(
        ([filter, filterValue]) =>
          [
            filter,
            filterValueField(
              scope,
              name,
              [...path, 'values', filter],
              filterValue,
              `${sitePath}.values.${filter}`,
              bodyPath(`values.${filter}`),
            ),
          ] as const,
      );
      const complete = values.flatMap(([filter, field]) => (field === undefined ? [] : [[filter, field] as const]));
      return complete.length === values.length ? objectField(complete) : undefined;
    };

    const parts = Object.keys(entry)
      .filter((key) => key !== 'when')
      .map((key) => [key, fieldOf(key)] as const);
    const complete = parts.flatMap(([key, field]) => (field === undefined ? [] : [[key, field] as const]));
    if (complete.length < parts.length || (entry['when'] !== undefined && when === undefined)) return undefined;
    const condition = when === undefined ? undefined : (evaluation: Evaluation) => when.holds(evaluation);
    return { condition, field: objectField(complete) };
  });
  return compiled.every((entry) => entry !== undefined) ? conditionalListField(compiled) : undefined;
}
