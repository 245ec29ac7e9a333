// The structure of the policy file as JSON Schema (draft-07, which editors know). The loader validates with this very
// object and policy.schema.json is written from it, so editor and loader cannot disagree. A `description` completes the
// sentence "… must be".
import { permissionNames } from './upstream-request.ts';

const noInterpolation = '(?:(?!\\$\\{)[\\s\\S])';
/** Exactly one `${ … }`, nothing around it. */
const expression = `^\\$\\{${noInterpolation}*\\}$`;
const literal = `^${noInterpolation}+$`;
const literalOrExpression = `^(?:\\$\\{${noInterpolation}*\\}|${noInterpolation}+)$`;

const text = {
  type: 'string',
  pattern: literalOrExpression,
  description: 'a text that is not empty, or exactly one ${ … } (there is no string interpolation)',
} as const;
const literalText = {
  type: 'string',
  pattern: literal,
  description: 'a text that is not empty, without ${ … }',
} as const;
const constantSql = {
  type: 'string',
  pattern: literal,
  description: 'a constant text: SQL is never built from an expression',
} as const;
const flag = {
  type: ['boolean', 'string'],
  pattern: expression,
  description: 'true, false or exactly one ${ … }',
} as const;
const bool = { type: 'boolean', description: 'true or false' } as const;
const number = {
  type: ['number', 'string'],
  pattern: expression,
  description: 'a number or exactly one ${ … }',
} as const;
const condition = {
  type: 'string',
  pattern: literalOrExpression,
  description: 'one CEL expression as text, such as claims.role == "admin"',
} as const;
const textList = {
  type: ['array', 'string'],
  items: text,
  pattern: expression,
  description: 'a list of texts or exactly one ${ … }',
} as const;
const nonEmptyTextList = {
  ...textList,
  minItems: 1,
  description: 'a list of at least one text, or exactly one ${ … }',
} as const;
const anchored = {
  type: 'string',
  pattern: '^\\^[\\s\\S]*\\$$',
  maxLength: 500,
  description: 'a regular expression between ^ and $, such as ^[a-z0-9-]{1,64}$',
} as const;

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

const metricFilterValue = {
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

const dashboardFilterValue = {
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

const values = (value: object): object => ({
  type: 'object',
  propertyNames: filterName,
  // A filter named like a part of an SQL filter: an expression there is more likely a mistake than a filter.
  properties: {
    sql: { allOf: [value], not: { type: 'string', pattern: '\\$\\{' }, description: 'constant' },
    columnName: { allOf: [value], not: { type: 'string', pattern: '\\$\\{' }, description: 'constant' },
  },
  additionalProperties: value,
  minProperties: 1,
  description: 'a map from filter names to values, with at least one entry',
});

const metricFilters = {
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

const dashboardFilters = {
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

const request = {
  type: 'object',
  properties: {
    clientId: { ...text, description: 'a text or exactly one ${ … }; None, without quotes or with, means no tenancy' },
    params: {
      type: 'object',
      properties: {
        userIdentifier: text,
        allowedEmbeds: nonEmptyTextList,
        timezone: text,
        appFilters: metricFilters,
        rlsSettings: metricFilters,
        dashboardAppFilters: dashboardFilters,
        hideDashboardFilters: textList,
      },
      additionalProperties: false,
      description: 'a map of parameters',
    },
    permissions: {
      type: 'object',
      properties: Object.fromEntries(permissionNames.map((name) => [name, flag])),
      additionalProperties: false,
      description: 'a map from permission names to true, false or ${ … }',
    },
    datasourceName: text,
  },
  required: ['clientId'],
  additionalProperties: false,
  description: 'the body of the request, field by field as the vendor documents it, without dataAppName and expiryTime',
} as const;

const validation = {
  type: 'object',
  properties: {
    expression: condition,
    message: {
      ...literalText,
      maxLength: 500,
      description: 'a sentence for the user, at most 500 characters, without ${ … }',
    },
  },
  required: ['expression', 'message'],
  additionalProperties: false,
  description: 'a map { expression, message }',
} as const;

const dataApp = {
  type: 'object',
  properties: {
    default: bool,
    apiKey: {
      type: 'string',
      pattern: '^[A-Z0-9][A-Z0-9_]*$',
      description: 'the NAME of a setting DATABRAIN_API_KEY_<NAME>, in capitals',
    },
    when: condition,
    validations: { type: 'array', items: validation, description: 'a list of { expression, message }' },
    expiresIn: {
      type: 'string',
      pattern: '^[1-9][0-9]{0,8}[smhd]$',
      description: 'a duration such as 30s, 15m, 1h or 7d',
    },
    withinAccessToken: bool,
    clientIdPattern: anchored,
    filterValuePattern: anchored,
    request,
  },
  required: ['expiresIn', 'request'],
  additionalProperties: false,
  description: 'a data app: { expiresIn, request, … }',
} as const;

export const policySchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Guest-token proxy policy',
  type: 'object',
  properties: {
    version: { const: 1, description: '1' },
    variables: {
      type: 'object',
      propertyNames: {
        type: 'string',
        pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$',
        description: 'a name of letters, digits and _',
      },
      additionalProperties: condition,
      description: 'a map from names to CEL expressions',
    },
    clientIdPattern: anchored,
    filterValuePattern: anchored,
    dataApps: {
      type: 'object',
      propertyNames: {
        type: 'string',
        pattern: '^(?=.*\\S)(?:(?!\\$\\{)[^\\u0000-\\u001f\\u007f])+$',
        maxLength: 256,
        description: 'the name of a data app, without ${ … }',
      },
      additionalProperties: dataApp,
      minProperties: 1,
      description: 'a map from data app names to what may be minted for them, with at least one entry',
    },
  },
  required: ['version', 'dataApps'],
  additionalProperties: false,
  description: 'a map with version and dataApps',
  definitions: { metricFilterValue, dashboardFilterValue },
} as const;
