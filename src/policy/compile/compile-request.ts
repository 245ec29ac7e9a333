// `request` of a data app: every key that the file names, compiled in the file's order. No other key is ever sent.
import { objectField, type Field } from './field.ts';
import { filterListField } from './compile-filters.ts';
import type { YamlMap } from './filter-value-field.ts';
import type { ExpectedType } from './scalar-expression.ts';
import type { Path } from '../document/policy-document.ts';
import { textListField, type RequestScope } from './text-list-field.ts';
import type { ExpressionSiteKind } from '../expression/trace.ts';
import { clientIdRule, flagRule, listRule, nameRule, type Rule, type TextTest } from './value-rules.ts';

export interface RequestRules {
  readonly matchesClientId: TextTest;
  /** What to write instead of an id that does not match. */
  readonly clientIdMend: string;
  readonly timeZone: Rule<string>;
}

/** The vendor's "no tenancy". Only the file may say it, spelt exactly so. */
export const noTenancy = 'None';

type NamedField = readonly [string, Field<unknown> | undefined];

const allOf = (fields: readonly NamedField[]): Field<Readonly<Record<string, unknown>>> | undefined => {
  const complete = fields.flatMap(([key, field]) => (field === undefined ? [] : [[key, field] as const]));
  return complete.length === fields.length ? objectField(complete) : undefined;
};

/** The body without `expiryTime`; undefined after a problem. The document has the structure that policy-schema.ts says. */
export function compileRequest(
  scope: RequestScope,
  request: YamlMap,
  rules: RequestRules,
): Field<Readonly<Record<string, unknown>>> | undefined {
  const { compiler, dataApp, root, references } = scope;

  const scalar = <T>(
    below: Path,
    value: unknown,
    rule: Rule<T>,
    expected: readonly ExpectedType[],
    kind: ExpressionSiteKind = 'value',
    literalRule = rule,
    mend = 'Write a text that is not blank, of at most 256 characters',
  ): Field<T> | undefined =>
    compiler.scalar([...root, ...below], value, below.join('.'), {
      kind,
      reason: kind === 'clientId' ? 'client_id_refused' : 'value_refused',
      expected,
      rule,
      literalRule,
      mend,
      bodyPath: () => below.join('.'),
    });

  const texts = (name: 'allowedEmbeds' | 'hideDashboardFilters', value: unknown): Field<unknown> | undefined => {
    const below = ['params', name];
    const embeds = name === 'allowedEmbeds';
    if (!Array.isArray(value)) return scalar(below, value, listRule(nameRule, !embeds), ['list']);
    return textListField(scope, [...root, ...below], value, below.join('.'), () => below.join('.'), {
      kind: 'value',
      reason: 'value_refused',
      element: nameRule,
      literalElement: nameRule,
      allowEmpty: !embeds,
      onLiteral: (id, path) => {
        if (embeds) references.push({ kind: 'embed', id, position: compiler.positionOf(path) });
      },
    });
  };

  const parameter = (name: string, value: unknown): Field<unknown> | undefined => {
    switch (name) {
      case 'allowedEmbeds':
      case 'hideDashboardFilters':
        return texts(name, value);
      case 'appFilters':
      case 'rlsSettings':
      case 'dashboardAppFilters':
        return filterListField(scope, name, value as readonly YamlMap[]);
      case 'timezone':
        return scalar(
          ['params', name],
          value,
          rules.timeZone,
          ['string'],
          'value',
          rules.timeZone,
          'Name a zone of the IANA database',
        );
      default:
        return scalar(['params', name], value, nameRule, ['string']);
    }
  };

  const clientId = clientIdRule(rules.matchesClientId);
  const part = (name: string, value: unknown): Field<unknown> | undefined => {
    switch (name) {
      case 'clientId':
        return scalar(
          [name],
          value,
          clientId,
          ['string'],
          'clientId',
          (literal, refuse, pay) => (literal === noTenancy ? noTenancy : clientId(literal, refuse, pay)),
          rules.clientIdMend,
        );
      case 'params':
        return allOf(Object.entries(value as YamlMap).map(([key, inner]) => [key, parameter(key, inner)]));
      case 'permissions':
        return allOf(
          Object.entries(value as YamlMap).map(([key, inner]) => [
            key,
            scalar([name, key], inner, flagRule, ['bool'], 'permission'),
          ]),
        );
      default:
        return scalar([name], value, nameRule, ['string']);
    }
  };

  const fields = Object.entries(request).map(([name, value]): NamedField => [name, part(name, value)]);
  return allOf([['dataAppName', { known: true, value: dataApp }], ...fields]);
}
