// How values of a policy file are written: literals and `${ … }`, and the JSON Schema of each kind of field. A
// `description` completes the sentence "… must be".
import type { FieldKind } from '../upstream-request.ts';

const noInterpolation = '(?:(?!\\$\\{)[\\s\\S])';
/** Exactly one `${ … }` and nothing else. */
const expression = `^\\$\\{${noInterpolation}*\\}$`;
const literal = `^${noInterpolation}+$`;
const literalOrExpression = `^(?:\\$\\{${noInterpolation}*\\}|${noInterpolation}+)$`;

/** The expression inside `${ … }`, with its offset in the scalar; undefined for a literal. */
export const expressionIn = (value: unknown): { readonly text: string; readonly offset: number } | undefined =>
  typeof value === 'string' && value.startsWith('${') && value.endsWith('}')
    ? { text: value.slice(2, -1), offset: 2 }
    : undefined;

const text = {
  type: 'string',
  pattern: literalOrExpression,
  description: 'a string that is not empty, or exactly one ${ … } (there is no string interpolation)',
} as const;
export const literalText = {
  type: 'string',
  pattern: literal,
  description: 'a string that is not empty, without ${ … }',
} as const;
const constantSql = {
  type: 'string',
  pattern: literal,
  description: 'a constant string: SQL is never built from an expression',
} as const;
const flag = {
  type: ['boolean', 'string'],
  pattern: expression,
  description: 'true, false or exactly one ${ … }',
} as const;
const number = {
  type: ['number', 'string'],
  pattern: expression,
  description: 'a number or exactly one ${ … }',
} as const;
export const condition = {
  type: 'string',
  pattern: literalOrExpression,
  description: 'one CEL expression as a string, such as claims.role == "admin"',
} as const;
const textList = {
  type: ['array', 'string'],
  items: text,
  pattern: expression,
  description: 'a list of strings or exactly one ${ … }',
} as const;

/** Names chosen by the operator that become keys of the body. */
const filterName = {
  type: 'string',
  pattern: '^(?:(?!\\$\\{)[^\\u0000-\\u001f\\u007f])+$',
  maxLength: 256,
  description: 'a name without ${ … } and control characters',
} as const;

const sqlShape = { sql: constantSql, columnName: constantSql } as const;
const pairs = (...names: readonly [string, string][]): Record<string, readonly string[]> =>
  Object.fromEntries(
    names.flatMap(([a, b]) => [
      [a, [b]],
      [b, [a]],
    ]),
  );

const filterText = { ...text, description: 'a string that is not empty, or exactly one ${ … }' } as const;

/** The definitions that `$ref` below refers to. */
export const definitions = {
  metricFilterValue: {
    type: ['boolean', 'number', 'string', 'array', 'object'],
    pattern: literalOrExpression,
    items: filterText,
    minItems: 1,
    properties: sqlShape,
    additionalProperties: false,
    dependencies: pairs(['sql', 'columnName']),
    minProperties: 2,
    description: 'a boolean, number, string, list of strings, { sql, columnName } or exactly one ${ … }, and not empty',
  },
  dashboardFilterValue: {
    type: ['string', 'array', 'object'],
    pattern: literalOrExpression,
    items: filterText,
    minItems: 1,
    properties: { ...sqlShape, startDate: text, endDate: text, min: number, max: number },
    additionalProperties: false,
    dependencies: pairs(['sql', 'columnName'], ['startDate', 'endDate'], ['min', 'max']),
    minProperties: 2,
    maxProperties: 2,
    description:
      'a string, list of strings, { startDate, endDate }, { min, max }, { sql, columnName } or exactly one ${ … }, and not empty',
  },
} as const;

const expressionText = { type: 'string', pattern: '\\$\\{' } as const;
const holdsExpression = {
  anyOf: [
    expressionText,
    { type: 'array', contains: expressionText },
    { type: 'object', not: { additionalProperties: { not: expressionText } } },
  ],
} as const;

const values = (value: object): object => ({
  type: 'object',
  propertyNames: filterName,
  // Filters named like parts of an SQL filter: an expression there is probably a mistake.
  properties: {
    sql: { allOf: [value], not: holdsExpression, description: 'constant' },
    columnName: { allOf: [value], not: holdsExpression, description: 'constant' },
  },
  additionalProperties: value,
  minProperties: 1,
  description: 'a map from filter names to values, with at least one entry',
});

const filters = (idName: string, value: keyof typeof definitions, optional: Readonly<Record<string, object>>) => ({
  type: 'array',
  items: {
    type: 'object',
    properties: { when: condition, [idName]: text, values: values({ $ref: `#/definitions/${value}` }), ...optional },
    required: [idName, 'values'],
    additionalProperties: false,
    description: `a filter { ${idName}, values } with an optional ${['when', ...Object.keys(optional)].join(' and ')}`,
  },
  description: `a list of filters { ${idName}, values }`,
});

export const fieldSchemas = {
  clientId: { ...text, description: 'a string or exactly one ${ … }; None, without quotes or with, means no tenancy' },
  name: text,
  timeZone: text,
  embedIds: { ...textList, minItems: 1, description: 'a list of at least one string, or exactly one ${ … }' },
  names: textList,
  metricFilters: filters('metricId', 'metricFilterValue', {}),
  dashboardFilters: filters('dashboardId', 'dashboardFilterValue', { isShowOnUrl: flag }),
  flag,
} as const satisfies Readonly<Record<FieldKind, object>>;
