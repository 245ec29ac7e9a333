// JSON Schema of the filter lists of a policy file. A `description` completes the sentence "… must be".
import { condition, constantSql, flag, literalOrExpression, number, text } from './scalar-schema.ts';

/** Names that the operator chooses and that become keys of the upstream's body. */
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

const filterText = { ...text, description: 'a text that is not empty, or exactly one ${ … }' } as const;

export const metricFilterValue = {
  type: ['boolean', 'number', 'string', 'array', 'object'],
  pattern: literalOrExpression,
  items: filterText,
  minItems: 1,
  properties: sqlShape,
  additionalProperties: false,
  dependencies: pairs(['sql', 'columnName']),
  minProperties: 2,
  description: 'a boolean, number, text, list of texts, { sql, columnName } or exactly one ${ … }, and not empty',
} as const;

export const dashboardFilterValue = {
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
    'a text, list of texts, { startDate, endDate }, { min, max }, { sql, columnName } or exactly one ${ … }, and not empty',
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
  // A filter named like a part of an SQL filter: an expression there is more likely a mistake than a filter.
  properties: {
    sql: { allOf: [value], not: holdsExpression, description: 'constant' },
    columnName: { allOf: [value], not: holdsExpression, description: 'constant' },
  },
  additionalProperties: value,
  minProperties: 1,
  description: 'a map from filter names to values, with at least one entry',
});

export const metricFilters = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      when: condition,
      metricId: text,
      values: values({ $ref: '#/definitions/metricFilterValue' }),
    },
    required: ['metricId', 'values'],
    additionalProperties: false,
    description: 'a filter { metricId, values } with an optional when',
  },
  description: 'a list of filters { metricId, values }',
} as const;

export const dashboardFilters = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      when: condition,
      dashboardId: text,
      values: values({ $ref: '#/definitions/dashboardFilterValue' }),
      isShowOnUrl: flag,
    },
    required: ['dashboardId', 'values'],
    additionalProperties: false,
    description: 'a filter { dashboardId, values } with an optional when and isShowOnUrl',
  },
  description: 'a list of filters { dashboardId, values }',
} as const;
