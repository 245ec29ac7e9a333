// Compiles the `request` of a data app: each field of the file by its kind, in the order of the file. No other field is
// sent.
import type { JsonObject } from '../../strict-json.ts';
import { didYouMean } from '../../did-you-mean.ts';
import type { Path } from '../../strict-yaml.ts';
import { paramFields, permissionFields, topFields, type FieldKind } from '../upstream-request.ts';
import { filterListField, textListField, valueField, type FilterScope, type Place } from './compile-filters.ts';
import { completeObjectField, constant, type Field } from './field.ts';
import { clientIdRule, flagRule, listRule, nameRule, noTenancy, type Rule, type TextTest } from './value-rules.ts';

export interface RequestScope extends FilterScope {
  /** Name of the data app. */
  readonly dataApp: string;
  /** Path of `request` in the file. */
  readonly root: Path;
  readonly clientId: { readonly matches: TextTest; readonly pattern: string };
  readonly timeZone: Rule<string>;
}

type CompileField = (scope: RequestScope, place: Place) => Field<unknown> | undefined;

const names =
  (allowEmpty: boolean, onLiteral?: (scope: RequestScope, id: string, path: Path) => void): CompileField =>
  (scope, place) =>
    Array.isArray(place.value)
      ? textListField(scope.compiler, place, {
          kind: 'value',
          reason: 'value_refused',
          element: nameRule,
          literalElement: nameRule,
          allowEmpty,
          onLiteral: (id, path) => onLiteral?.(scope, id, path),
        })
      : valueField(scope.compiler, place, { rule: listRule(nameRule, allowEmpty), expected: 'list' });

const nearestZone = (zone: unknown): string =>
  didYouMean(String(zone), Intl.supportedValuesOf('timeZone'), 'Name a zone of the IANA database');

const byKind: Readonly<Record<FieldKind, CompileField>> = {
  clientId: ({ compiler, clientId: { matches, pattern } }, { path, value, sitePath, bodyPath }) => {
    const rule = clientIdRule(matches, pattern);
    return compiler.scalar(path, value, sitePath, {
      kind: 'clientId',
      reason: 'client_id_refused',
      expected: ['string'],
      rule,
      literalRule: (literal, refuse, pay) => (literal === noTenancy ? noTenancy : rule(literal, refuse, pay)),
      fix: `Write an id that matches ${pattern}, or exactly None for no tenancy`,
      bodyPath,
    });
  },
  name: (scope, place) => valueField(scope.compiler, place, { rule: nameRule, expected: 'string' }),
  timeZone: (scope, place) =>
    valueField(scope.compiler, place, { rule: scope.timeZone, expected: 'string', fix: nearestZone }),
  embedIds: names(false, ({ compiler, references }, id, path) =>
    references.push({ kind: 'embed', id, position: compiler.positionOf(path) }),
  ),
  names: names(true),
  metricFilters: (scope, place) => filterListField(scope, 'metricId', place),
  dashboardFilters: (scope, place) => filterListField(scope, 'dashboardId', place),
  flag: ({ compiler }, { path, value, sitePath, bodyPath }) =>
    compiler.scalar(path, value, sitePath, {
      kind: 'permission',
      reason: 'value_refused',
      expected: ['bool'],
      rule: flagRule,
      literalRule: flagRule,
      bodyPath,
    }),
};

type Rows = Readonly<Record<string, { readonly kind: FieldKind }>>;

/** The body without `expiryTime`; undefined after a problem. policy-schema.ts has validated the structure. */
export function compileRequest(
  scope: RequestScope,
  request: JsonObject,
): Field<Readonly<Record<string, unknown>>> | undefined {
  const fieldsOf = (rows: Rows, map: JsonObject, group: Path) =>
    Object.entries(map).map(([name, value]) => {
      const row = rows[name];
      if (row === undefined) throw new TypeError(`${name} was not checked`);
      const sitePath = [...group, name].join('.');
      const place = { value, path: [...scope.root, ...group, name], sitePath, bodyPath: () => sitePath };
      return [name, byKind[row.kind](scope, place)] as const;
    });
  const groups: Readonly<Record<string, Rows>> = { params: paramFields, permissions: permissionFields };

  const fields = Object.entries(request).flatMap(([name, value]) => {
    const group = groups[name];
    return group === undefined
      ? fieldsOf(topFields, { [name]: value }, [])
      : [[name, completeObjectField(fieldsOf(group, value as JsonObject, [name]))] as const];
  });
  return completeObjectField([['dataAppName', constant(scope.dataApp)], ...fields]);
}
