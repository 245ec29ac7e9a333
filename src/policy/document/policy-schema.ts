// The structure of the policy file as JSON Schema (draft-07, which editors support). The loader validates with this
// object, and policy.schema.json is written from it, so editor and loader agree. A `description` completes the sentence
// "… must be".
import { compileSchema } from '../../json-schema.ts';
import { fieldProperties, paramFields, permissionFields, topFields } from '../upstream-request.ts';
import { condition, definitions, fieldSchemas, literalText } from './field-schema.ts';

const properties = (fields: Parameters<typeof fieldProperties>[0]) =>
  fieldProperties(fields, ({ kind, about }) => ({ ...fieldSchemas[kind], title: about }));

const request = {
  type: 'object',
  properties: {
    ...properties(topFields),
    params: {
      type: 'object',
      properties: properties(paramFields),
      additionalProperties: false,
      description: 'a map of parameters',
    },
    permissions: {
      type: 'object',
      properties: properties(permissionFields),
      additionalProperties: false,
      description: 'a map from permission names to true, false or ${ … }',
    },
  },
  required: ['clientId'],
  additionalProperties: false,
  description: 'the body of the request, field by field as the vendor documents it, without dataAppName and expiryTime',
} as const;

const bool = { type: 'boolean', description: 'true or false' } as const;
const anchored = {
  type: 'string',
  pattern: '^\\^[\\s\\S]*\\$$',
  maxLength: 500,
  description: 'a regular expression between ^ and $, such as ^[a-z0-9-]{1,64}$',
} as const;

const validation = {
  type: 'object',
  properties: {
    expression: condition,
    message: {
      ...literalText,
      maxLength: 500,
      description: 'a message for the user, at most 500 characters, without ${ … }',
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
      description: 'a map from names to data apps, with at least one entry',
    },
  },
  required: ['version', 'dataApps'],
  additionalProperties: false,
  description: 'a map with version and dataApps',
  definitions,
} as const;

/** Whether the document is a policy as far as its structure goes. `errors` has all problems. */
export const validatePolicy = compileSchema('policy', policySchema, {
  allErrors: true,
  verbose: true,
  ownProperties: true,
  // One function for each definition, instead of a copy for each reference.
  inlineRefs: false,
});

/** An entry of `dataApps` that has passed the schema. */
export interface DataAppDocument {
  readonly default?: boolean;
  readonly apiKey?: string;
  readonly when?: string;
  readonly validations?: readonly { readonly expression: string; readonly message: string }[];
  readonly expiresIn: string;
  readonly withinAccessToken?: boolean;
  readonly request: Readonly<Record<string, unknown>>;
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Whole seconds of a duration such as `15m`. */
export const durationSeconds = (duration: string): number =>
  Number(duration.slice(0, -1)) * (unitSeconds[duration.slice(-1)] ?? Number.NaN);
