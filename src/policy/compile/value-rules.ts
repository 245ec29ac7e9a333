// The rules for values of the body. A rule takes the result of an expression or a literal and returns the value to
// send, or refuses it. It never trims or converts values; only CEL's bigint becomes a number, if that is exact.
import { LoadProblem } from '../../problem.ts';
import { invisible, visibleText } from '../../printable.ts';

/** Refuses a value. `problem` names the kind of fault, never the value. */
export type Refuse = (problem: string) => never;

/** Called before a pattern is tried, with the maximum number of steps. Throws if there is not enough fuel. */
export type Pay = (steps: number) => void;

export type Rule<T> = (value: unknown, refuse: Refuse, pay: Pay) => T;

/** Whether a string has the form that the policy expects. */
export type TextTest = (text: string, pay: Pay) => boolean;

/** Maximum length of a filter value from a claim, unless a `filterValuePattern` is set. */
const maxFilterTextLength = 256;
/** Maximum length with a pattern. */
const maxTextLength = 4096;
/** Maximum number of elements of a list. */
const maxListLength = 1000;

const vendorPattern = /^[A-Za-z0-9][A-Za-z0-9_.:@|+-]{0,127}$/;

/** The default `clientIdPattern`. */
export const vendorClientId = { pattern: vendorPattern.source, matches: (text: string) => vendorPattern.test(text) };

const reservedClientId = /^(?:none|null|undefined)?$/i;

const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Quotes, accents, primes and backslashes with their look-alikes, `;`, `--` of all dashes, and `/*`. */
const endsSqlText =
  /["'`\\;\u00b4\u02b9-\u02bc\u02c8\u02cb\u2018-\u201f\u2032-\u2037\u2216\uff02\uff07\uff3c]|[-\u2010-\u2015\u2212]{2}|[/\u2044\u2215][*\u2217]/;

/**
 * Whether a string could end a string literal in SQL, as it is or after a database or driver folds it to ASCII. Checks
 * its normal forms (UAX 15) too, because a database may store any of them.
 */
export const couldEndSqlText = (value: string): boolean =>
  endsSqlText.test(value) ||
  (/[^\0-\x7f]/.test(value) && ['NFC', 'NFKC'].some((form) => endsSqlText.test(value.normalize(form))));

const text: Rule<string> = (value, refuse) => {
  if (typeof value !== 'string') return refuse('is not a string');
  if (!visibleText.test(value)) return refuse('is empty or blank');
  return value.isWellFormed() ? value : refuse('is not well-formed Unicode');
};

/** The vendor's value for "no tenancy". Only a literal in the file may be None, in this spelling. */
export const noTenancy = 'None';

/** `clientId` from an expression or the file, except the literal None, which compile-request.ts handles. */
export const clientIdRule =
  (matches: TextTest, pattern: string): Rule<string> =>
  (value, refuse, pay) => {
    if (typeof value !== 'string') return refuse('is not a string');
    if (value.length > maxTextLength) return refuse('is too long');
    if (!value.isWellFormed()) return refuse('is not well-formed Unicode');
    if (reservedClientId.test(value.normalize('NFKC').replace(invisible, '')))
      return refuse('is blank, None, null or undefined, which could mean "no tenancy"');
    if (!matches(value, pay)) return refuse(`does not match ${pattern}`);
    return value;
  };

/** Names of users and things. They are sent unchanged; only what cannot be a name is refused. */
export const nameRule: Rule<string> = (value, refuse, pay) => {
  const name = text(value, refuse, pay);
  if (name.length > maxFilterTextLength) return refuse('is longer than 256 characters');
  if (controlCharacter.test(name)) return refuse('contains control characters');
  return name;
};

/** A filter string from an expression. */
export const filterTextRule =
  (form: { readonly pattern: string; readonly matches: TextTest } | undefined): Rule<string> =>
  (value, refuse, pay) => {
    if (typeof value !== 'string') return refuse('is not a string');
    if (value === '') return refuse('is an empty string, and an empty filter could mean everything');
    if (!value.isWellFormed()) return refuse('is not well-formed Unicode');
    if (form !== undefined) {
      if (value.length > maxTextLength) return refuse('is longer than 4096 characters');
      return form.matches(value, pay) ? value : refuse(`does not match filterValuePattern ${form.pattern}`);
    }
    if (value.length > maxFilterTextLength) return refuse('is longer than 256 characters');
    if (controlCharacter.test(value)) return refuse('contains control characters');
    if (couldEndSqlText(value)) return refuse('contains a quote, backslash, backtick, ";", "--" or "/*"');
    return visibleText.test(value) ? value : refuse('is blank');
  };

/** A filter string that the operator wrote. */
export const literalFilterTextRule: Rule<string> = text;

export const flagRule: Rule<boolean> = (value, refuse) =>
  typeof value === 'boolean' ? value : refuse('is not true or false');

export const numberRule: Rule<number> = (value, refuse) => {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : refuse('is an integer too large to be exact');
  }
  if (typeof value !== 'number') return refuse('is not a number');
  return Number.isFinite(value) ? value : refuse('is not a finite number');
};

/** A calendar date, `YYYY-MM-DD` (RFC 3339 full-date). */
export const dateRule: Rule<string> = (value, refuse) => {
  if (typeof value !== 'string' || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value))
    return refuse('is not a date written YYYY-MM-DD');
  const time = Date.parse(`${value}T00:00:00Z`);
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== value)
    return refuse('is not a day of the calendar');
  return value;
};

/** An IANA time zone, from the list of this runtime or an alias that Intl accepts. */
export function createTimeZoneRule(): Rule<string> {
  // Only when it is needed: most policies name no time zone.
  let listed: ReadonlySet<string> | undefined;
  return (value, refuse) => {
    if (typeof value === 'string') {
      listed ??= new Set(['UTC', 'Etc/UTC', 'GMT', ...Intl.supportedValuesOf('timeZone')]);
      if (listed.has(value)) return value;
      // Intl also accepts offsets such as +02:00, which are not IANA names.
      if (/^[A-Za-z][A-Za-z0-9_+-]{0,30}(?:\/[A-Za-z0-9_+-]{1,30}){0,2}$/.test(value)) {
        try {
          new Intl.DateTimeFormat('en', { timeZone: value });
          return value;
        } catch {
          // Falls through to the one refusal.
        }
      }
    }
    return refuse('is not an IANA time zone such as Europe/Berlin');
  };
}

/** A list of strings. Every element passes the element's rule. The result is a frozen copy. */
export const listRule =
  (element: Rule<string>, allowEmpty: boolean): Rule<readonly string[]> =>
  (value, refuse, pay) => {
    if (!Array.isArray(value)) return refuse('is not a list');
    if (value.length === 0 && !allowEmpty) return refuse('is an empty list');
    if (value.length > maxListLength) return refuse('has more than 1000 elements');
    if (value.some((item) => typeof item === 'number' || typeof item === 'bigint'))
      return refuse('contains numbers, but must contain strings: append .map(x, string(x))');
    return Object.freeze((value as readonly unknown[]).map((item) => element(item, refuse, pay)));
  };

export type FilterScalar = boolean | number | string | readonly string[];

/**
 * Values of `appFilters` and `rlsSettings`: boolean, number, string or list of strings, never an object. A number or
 * boolean must also be valid as a string: the pattern applies to its text.
 */
export const metricFilterRule =
  (element: Rule<string>): Rule<FilterScalar> =>
  (value, refuse, pay) => {
    if (typeof value === 'string') return element(value, refuse, pay);
    if (Array.isArray(value)) return listRule(element, false)(value, refuse, pay);
    if (typeof value !== 'boolean' && typeof value !== 'number' && typeof value !== 'bigint')
      return refuse(value === null ? 'is null' : 'must be a boolean, a number, a string or a list of strings');
    const scalar = typeof value === 'boolean' ? value : numberRule(value, refuse, pay);
    element(String(scalar), refuse, pay);
    return scalar;
  };

/** Values of `dashboardAppFilters`: a string or list of strings, never an object. */
export const dashboardFilterRule =
  (element: Rule<string>): Rule<string | readonly string[]> =>
  (value, refuse, pay) => {
    if (typeof value === 'string') return element(value, refuse, pay);
    if (Array.isArray(value)) return listRule(element, false)(value, refuse, pay);
    return refuse(value === null ? 'is null' : 'must be a string or a list of strings');
  };

/** Whether a string looks like an expression without `${ }`. All users would get that string. */
const readsLikeExpression = (text: string): boolean => /\b(?:claims|variables)(?:\.\??[A-Za-z_]|\[)/.test(text);

/** A literal that passes its rule, checked once. Throws LoadProblem, without a fix if the rule has none. */
export function checkLiteral<T>(value: unknown, rule: Rule<T>): T {
  if (typeof value === 'string' && readsLikeExpression(value)) {
    const meant = value.replace(/^[\s${]+|[\s}]+$/g, '');
    throw new LoadProblem(
      'looks like an expression, but is a string',
      `Write \${${meant}}, or \${${JSON.stringify(value)}} if exactly this string is meant`,
    );
  }
  const refuse: Refuse = (problem) => {
    throw new LoadProblem(problem);
  };
  return rule(value, refuse, () => undefined);
}
