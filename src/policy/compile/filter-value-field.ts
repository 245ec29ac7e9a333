// One value of a filter: a scalar, a list of texts or one of three shapes. An object's shape always stands in the file;
// no claim gives one, so a claim cannot become SQL.
import { known, objectField, type Field } from './field.ts';
import type { ExpectedType } from './scalar-expression.ts';
import type { Path } from '../document/policy-document.ts';
import { Refusal } from '../refusal.ts';
import { textListField, type RequestScope } from './text-list-field.ts';
import {
  dashboardFilterRule,
  dateRule,
  literalFilterTextRule,
  metricFilterRule,
  numberRule,
  type Rule,
} from './value-rules.ts';

export type FilterListName = 'appFilters' | 'rlsSettings' | 'dashboardAppFilters';

export type YamlMap = Readonly<Record<string, unknown>>;

export const isYamlMap = (value: unknown): value is YamlMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{ startDate, endDate }` and `{ min, max }`: in order, or the range would be empty or turned round. */
function orderedField<T extends string | number>(
  scope: RequestScope,
  path: Path,
  value: YamlMap,
  names: readonly [string, string],
  sitePath: string,
  bodyPath: (index: number) => string,
  options: { readonly rule: Rule<T>; readonly expected: readonly ExpectedType[]; readonly mend: string },
): Field<unknown> | undefined {
  const firstSite = scope.compiler.sites.length;
  const fields = names.map((name) =>
    scope.compiler.scalar<T>([...path, name], value[name], `${sitePath}.${name}`, {
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

export function filterValueField(
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
  if (isYamlMap(value)) {
    if ('startDate' in value)
      return orderedField(scope, path, value, ['startDate', 'endDate'], sitePath, bodyPath, {
        rule: dateRule,
        expected: ['string'],
        mend: 'Write a day as YYYY-MM-DD',
      });
    if ('min' in value)
      return orderedField(scope, path, value, ['min', 'max'], sitePath, bodyPath, {
        rule: numberRule,
        expected: ['number'],
        mend: 'Write a finite number',
      });
    return known(Object.freeze({ ...value }));
  }
  const metric = list !== 'dashboardAppFilters';
  const expected: readonly ExpectedType[] = metric ? ['string', 'list', 'bool', 'number'] : ['string', 'list'];
  const rule = metric ? metricFilterRule : dashboardFilterRule;
  return scope.compiler.scalar<unknown>(path, value, sitePath, {
    ...common,
    expected,
    rule: rule(scope.filterText),
    literalRule: rule(literalFilterTextRule),
    bodyPath,
  });
}
