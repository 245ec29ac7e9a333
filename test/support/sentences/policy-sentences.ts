// The sentences of src/policy and src/strict-yaml.ts.

/** What is wrong with a policy file. */
const problems = {
  unknownKey: 'unknown key "{}" in {}',
  missingKey: '"{}" is missing in {}',
  invalidVariableName: 'the key {} in {} is not a name of letters, digits and _',
  invalidDataAppName: 'the key {} in {} is not the name of a data app, without ${ … }',
  invalidFilterName: 'the key {} in {} is not a name without ${ … } and control characters',
  wrongVersion: 'version must be 1, not {}',
  notPolicy: 'the policy must be a map with version and dataApps, not {}',
  notExpressionText: '{} must be one CEL expression as a string, such as claims.role == "admin", not {}',
  notBoolean: '{} must be true or false, not {}',
  notFlag: '{} must be true, false or exactly one ${ … }, not {}',
  notDuration: '{} must be a duration such as 30s, 15m, 1h or 7d, not {}',
  notPattern: '{} must be a regular expression between ^ and $, such as ^[a-z0-9-]{1,64}$, not {}',
  notClientId: '{} must be a string or exactly one ${ … }; None, without quotes or with, means no tenancy, not {}',
  notEmbedList: '{} must be a list of at least one string, or exactly one ${ … }, not {}',
  notKeyName: '{} must be the NAME of a setting DATABRAIN_API_KEY_<NAME>, in capitals, not {}',
  notValidations: '{} must be a list of { expression, message }, not {}',
  notMessage: '{} must be a message for the user, at most 500 characters, without ${ … }, not {}',
  notDataApps: '{} must be a map from names to data apps, with at least one entry, not {}',
  notFilterMap: '{} must be a map from filter names to values, with at least one entry, not {}',
  notMetricFilter:
    '{} must be a boolean, number, string, list of strings, { sql, columnName } or exactly one ${ … }, and not empty, not {}',
  notDashboardFilter:
    '{} must be a string, list of strings, { startDate, endDate }, { min, max }, { sql, columnName } or exactly one ${ … }, and not empty, not {}',
  sqlNotConstant: '{} must be a constant string: SQL is never built from an expression, not {}',
  sqlNameNotConstant: '{} must be constant: SQL is never built from an expression',
  looksLikeExpression: '{} looks like an expression, but is a string',
  secondDefault: '"{}" is already the default',
  apiKeyNotSet: 'the data app "{}" needs the setting {}, which is not set',
  lifetimeTooLong: 'expiresIn is {}, and TOKEN_MAX_LIFETIME_SECONDS allows {} s',
} as const;

/** What is wrong with a value, of the file or of a claim. */
const values = {
  notWholePattern: '{} does not match {}',
  meansNoTenancy: '{} is blank, None, null or undefined, which could mean "no tenancy"',
  notTimeZone: '{} is not an IANA time zone such as Europe/Berlin',
  notCalendarDay: '{} is not a day of the calendar',
  notFinite: '{} is not a finite number',
  rangeReversed: '{} is after {}',
} as const;

/** What is wrong with the YAML of a file. */
const yaml = {
  notYaml: 'not valid YAML: {}',
  yamlAlias: 'YAML aliases (*name) are not allowed',
  yamlAnchor: 'YAML anchors (&name) are not allowed',
  yamlTag: 'YAML tags (!…) are not allowed',
  yamlDirective: 'YAML directives (%…) are not allowed',
  yamlKeyNotString: 'a key must be a string',
  yamlKeyForbidden: '"{}" cannot be a key',
  yamlNumberChanges: '{} would be read as the number {}',
} as const;

/** Why an expression does not load. */
const expressions = {
  expressionInvalid: 'the expression is not valid: {}',
  expressionTooLong: 'the expression is longer than 4096 characters',
  wrongType: 'the expression gives {}, and {} needs {}',
  optionalResult: 'the result of the expression is an optional value',
  unknownName: '"{}" is not claims or variables',
  undefinedVariable: 'variables.{} is not defined above',
  wholeVariables: '"variables" cannot be used as a whole',
  unknownFunction: '{}() is not a function of the policy language',
  wrongArguments: '"{}" does not match the definition of {}()',
  matchesNotAvailable: 'matches() is not available: its regular expressions can take minutes for a short claim',
  reservedBinding: '{}() cannot bind the name {}',
  hasTakesMember: 'has() takes one member, such as has(claims.email)',
  unsupportedLiteral: '"{}" is a literal of bytes or of an unsigned integer',
} as const;

/** Why a pattern does not load. */
const patterns = {
  patternRefused: 'the pattern cannot be used: {}',
  patternEscape: 'the pattern cannot be used: {} is not available',
} as const;

/** What loads, and is probably not meant. */
const warnings = {
  dashboardsUnfiltered:
    'dashboardAppFilters without allowedEmbeds: other dashboards of the data app show unfiltered data',
  everyEmbedOpen: 'no allowedEmbeds: a token of "{}" opens every embed of the data app',
  filterInAddress:
    'a filter fed by a claim has isShowOnUrl not false: its value shows in the address and can be changed there',
  longLifetime: 'expiresIn is over 24 h, and a guest token cannot be revoked',
  everyFilterConditional:
    'every entry of {} has a when, and clientId is None: a user for whom none holds sees unfiltered data',
  variableUnused: '{} is never used',
} as const;

/** What to do about it. */
const fixes = {
  didYouMean: 'Did you mean {}',
  addOrValue: 'Add .orValue("…") to the optional value',
  useSameType: 'Give both sides the same type, as in int(claims.level) + 1',
  quoteText: 'Put quotes around {} if it is a string',
  noInterpolation:
    'There is no string interpolation: write exactly one ${ … } and nothing around it; join strings inside it with +',
  writeExpressionOrText: 'Write ${{}}, or ${{}} if exactly this string is meant',
  writeNumberOrText: '{}, or put quotes around {} if it is a string',
  writeMatchingId: 'Write an id that matches {}, or None, spelt so, for no tenancy',
  writeDay: 'Write a day as YYYY-MM-DD',
  writeClaim: 'Write claims["{}"]',
  nameZone: 'Name a zone of the IANA database',
  setOneOf: 'Set {} or {}',
  quoteBraces: 'Correct the YAML; put quotes around ${ … } inside { } and [ ]',
} as const;

export const policySentences = {
  ...problems,
  ...values,
  ...yaml,
  ...expressions,
  ...patterns,
  ...warnings,
  ...fixes,
} as const;
