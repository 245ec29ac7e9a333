// `appFilters`, `rlsSettings` and `dashboardAppFilters` of a data app: lists of entries with an optional `when`.
import type { Evaluation } from '../expression/evaluation.ts';
import { conditionalListField, objectField, type ConditionalField, type Field } from './field.ts';
import { filterValueField, isYamlMap, type FilterListName, type YamlMap } from './filter-value-field.ts';
import { expressionIn } from './scalar-expression.ts';
import type { RequestScope } from './text-list-field.ts';
import { flagRule, nameRule } from './value-rules.ts';

/** One filter list; undefined after a problem. */
export function filterListField(
  scope: RequestScope,
  name: FilterListName,
  entries: readonly YamlMap[],
): Field<readonly unknown[]> | undefined {
  const { compiler, root, references } = scope;
  const idName = name === 'dashboardAppFilters' ? 'dashboardId' : 'metricId';

  const compiled = entries.map((entry, i): ConditionalField<unknown> | undefined => {
    const path = [...root, 'params', name, i];
    const sitePath = `params.${name}[${i}]`;
    const bodyPath = (below: string) => (index: number) => `params.${name}[${index}].${below}`;
    const when =
      entry['when'] === undefined
        ? undefined
        : compiler.condition([...path, 'when'], entry['when'], { kind: 'when', path: `${sitePath}.when` });

    const fieldOf = (key: string): Field<unknown> | undefined => {
      const value = entry[key];
      if (key === idName) {
        if (expressionIn(value) === undefined && typeof value === 'string')
          references.push({
            kind: idName === 'metricId' ? 'metric' : 'dashboard',
            id: value,
            position: compiler.positionOf([...path, key]),
          });
        return compiler.scalar([...path, key], value, `${sitePath}.${key}`, {
          kind: 'value',
          reason: 'value_refused',
          expected: ['string'],
          rule: nameRule,
          literalRule: nameRule,
          bodyPath: bodyPath(key),
        });
      }
      if (key === 'isShowOnUrl')
        return compiler.scalar([...path, key], value, `${sitePath}.${key}`, {
          kind: 'value',
          reason: 'value_refused',
          expected: ['bool'],
          rule: flagRule,
          literalRule: flagRule,
          bodyPath: bodyPath(key),
        });
      const values = Object.entries(isYamlMap(value) ? value : {}).map(
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
