// JSON Schema of the scalars and text lists of a policy file. A `description` completes the sentence "… must be".

const noInterpolation = '(?:(?!\\$\\{)[\\s\\S])';
/** Exactly one `${ … }`, nothing around it. */
export const expression = `^\\$\\{${noInterpolation}*\\}$`;
const literal = `^${noInterpolation}+$`;
export const literalOrExpression = `^(?:\\$\\{${noInterpolation}*\\}|${noInterpolation}+)$`;

export const text = {
  type: 'string',
  pattern: literalOrExpression,
  description: 'a text that is not empty, or exactly one ${ … } (there is no string interpolation)',
} as const;
export const literalText = {
  type: 'string',
  pattern: literal,
  description: 'a text that is not empty, without ${ … }',
} as const;
export const constantSql = {
  type: 'string',
  pattern: literal,
  description: 'a constant text: SQL is never built from an expression',
} as const;
export const flag = {
  type: ['boolean', 'string'],
  pattern: expression,
  description: 'true, false or exactly one ${ … }',
} as const;
export const bool = { type: 'boolean', description: 'true or false' } as const;
export const number = {
  type: ['number', 'string'],
  pattern: expression,
  description: 'a number or exactly one ${ … }',
} as const;
export const condition = {
  type: 'string',
  pattern: literalOrExpression,
  description: 'one CEL expression as text, such as claims.role == "admin"',
} as const;
export const textList = {
  type: ['array', 'string'],
  items: text,
  pattern: expression,
  description: 'a list of texts or exactly one ${ … }',
} as const;
export const nonEmptyTextList = {
  ...textList,
  minItems: 1,
  description: 'a list of at least one text, or exactly one ${ … }',
} as const;
export const anchored = {
  type: 'string',
  pattern: '^\\^[\\s\\S]*\\$$',
  maxLength: 500,
  description: 'a regular expression between ^ and $, such as ^[a-z0-9-]{1,64}$',
} as const;
