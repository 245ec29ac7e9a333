// What a value must be to stand at its place in the body. A rule takes what an expression gave or the file says and
// returns what is sent, or refuses; it never trims, converts or completes. Only integers change: CEL's bigint becomes a
// number if that is exact.

import { invisible, visibleText } from '../../visible-text.ts';
import { LoadProblem } from '../expression/load-problem.ts';

/** Says no. `what` names the kind of fault, never the value. */
export type Refuse = (problem: string) => never;

/** Called with the steps that a pattern may take over a text, before it is tried. Throws when they cannot be paid. */
export type Pay = (steps: number) => void;

export type Rule<T> = (value: unknown, refuse: Refuse, pay: Pay) => T;

/** Whether a text is one that the policy's author expects. */
export type TextTest = (text: string, pay: Pay) => boolean;

/** Longest text from a claim in a filter, unless `filterValuePattern` widens that. */
const longestFilterText = 256;
/** Beyond this no pattern helps. */
const longestText = 4096;
/** A list of more than this many elements is not a filter any more. */
const longestList = 1000;

const vendorPattern = /^[A-Za-z0-9][A-Za-z0-9_.:@|+-]{0,127}$/;

/** The form of `clientId` where the file names no other. */
export const vendorClientId = { pattern: vendorPattern.source, matches: (text: string) => vendorPattern.test(text) };

const reservedClientId = /^(?:none|null|undefined)?$/i;

const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Quotes, accents, primes and backslashes with what looks like them, `;`, `--` of all dashes, and `/*`. */
const endsSqlText =
  /["'`\\;\u00b4\u02b9-\u02bc\u02c8\u02cb\u2018-\u201f\u2032-\u2037\u2216\uff02\uff07\uff3c]|[-\u2010-\u2015\u2212]{2}|[/\u2044\u2215][*\u2217]/;

/**
 * Whether a text could end a text inside SQL, as it is or as a database or driver may fold it to ASCII: looks at its
 * normal forms (UAX 15) too, because a database may store either.
 */
export const couldEndSqlText = (value: string): boolean =>
  endsSqlText.test(value) ||
  (/[^\0-\x7f]/.test(value) && ['NFC', 'NFKC'].some((form) => endsSqlText.test(value.normalize(form))));

const text: Rule<string> = (value, refuse) => {
  if (typeof value !== 'string') return refuse('is not a string');
  if (!visibleText.test(value)) return refuse('is empty or blank');
  return value.isWellFormed() ? value : refuse('is not well-formed Unicode');
};

/** `clientId` from an expression or the file, except the literal None, which compile-request.ts handles. */
export const clientIdRule =
  (matches: TextTest, pattern: string): Rule<string> =>
  (value, refuse, pay) => {
    if (typeof value !== 'string') return refuse('is not a string');
    if (value.length > longestText) return refuse('is too long');
    if (!value.isWellFormed()) return refuse('is not well-formed Unicode');
    if (reservedClientId.test(value.normalize('NFKC').replace(invisible, '')))
      return refuse('is blank, None, null or undefined, which could mean "no tenancy"');
    if (!matches(value, pay)) return refuse(`does not match ${pattern}`);
    return value;
  };

/** Names of users and things: sent unchanged, so only what cannot be a name is refused. */
export const nameRule: Rule<string> = (value, refuse, pay) => {
  const name = text(value, refuse, pay);
  if (name.length > longestFilterText) return refuse('is longer than 256 characters');
  if (controlCharacter.test(name)) return refuse('holds control characters');
  return name;
};

/** A text of a filter that an expression gave. */
export const filterTextRule =
  (form: { readonly pattern: string; readonly matches: TextTest } | undefined): Rule<string> =>
  (value, refuse, pay) => {
    if (typeof value !== 'string') return refuse('is not a string');
    if (value === '') return refuse('is an empty string, and an empty filter could mean everything');
    if (!value.isWellFormed()) return refuse('is not well-formed Unicode');
    if (form !== undefined) {
      if (value.length > longestText) return refuse('is longer than 4096 characters');
      return form.matches(value, pay) ? value : refuse(`does not match filterValuePattern ${form.pattern}`);
    }
    if (value.length > longestFilterText) return refuse('is longer than 256 characters');
    if (controlCharacter.test(value)) return refuse('holds control characters');
    if (couldEndSqlText(value)) return refuse('holds a quote, backslash, backtick, ";", "--" or "/*"');
    return visibleText.test(value) ? value : refuse('is blank');
  };

/** A text of a filter that the operator wrote. */
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

/** An IANA time zone. Those that this runtime lists are looked up, aliases are asked for. */
export function createTimeZoneRule(): Rule<string> {
  const listed = new Set(['UTC', 'Etc/UTC', 'GMT', ...Intl.supportedValuesOf('timeZone')]);
  return (value, refuse) => {
    if (typeof value === 'string') {
      if (listed.has(value)) return value;
      // Offsets such as +02:00 are accepted by Intl but are no IANA names.
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

/** A list of texts; every element passes the element's rule. The result is a frozen copy. */
export const listRule =
  (element: Rule<string>, allowEmpty: boolean): Rule<readonly string[]> =>
  (value, refuse, pay) => {
    if (!Array.isArray(value)) return refuse('is not a list');
    if (value.length === 0 && !allowEmpty) return refuse('is an empty list');
    if (value.length > longestList) return refuse('has more than 1000 elements');
    if (value.some((item) => typeof item === 'number' || typeof item === 'bigint'))
      return refuse('holds numbers, and lists hold strings: write .map(x, string(x)) behind it');
    return Object.freeze((value as readonly unknown[]).map((item) => element(item, refuse, pay)));
  };

export type FilterScalar = boolean | number | string | readonly string[];

/**
 * Values of `appFilters` and `rlsSettings`: boolean, number, text or list of texts, never an object. A number or boolean
 * must be right as a text too when it is written out: a pattern says what is expected.
 */
export const metricFilterRule =
  (element: Rule<string>): Rule<FilterScalar> =>
  (value, refuse, pay) => {
    if (typeof value === 'string') return element(value, refuse, pay);
    if (Array.isArray(value)) return listRule(element, false)(value, refuse, pay);
    if (typeof value !== 'boolean' && typeof value !== 'number' && typeof value !== 'bigint')
      return refuse(value === null ? 'is null' : 'is neither a boolean, number, string nor list of strings');
    const scalar = typeof value === 'boolean' ? value : numberRule(value, refuse, pay);
    element(String(scalar), refuse, pay);
    return scalar;
  };

/** Values of `dashboardAppFilters`: text or list of texts, never an object. */
export const dashboardFilterRule =
  (element: Rule<string>): Rule<string | readonly string[]> =>
  (value, refuse, pay) => {
    if (typeof value === 'string') return element(value, refuse, pay);
    if (Array.isArray(value)) return listRule(element, false)(value, refuse, pay);
    return refuse(value === null ? 'is null' : 'is neither a string nor a list of strings');
  };

/** Whether a text names claims or variables as an expression does: `${ }` was forgotten, and all users would get that text. */
const readsLikeExpression = (text: string): boolean => /\b(?:claims|variables)(?:\.\??[A-Za-z_]|\[)/.test(text);

/** A literal that its rule takes: no decision looks at it again. Throws LoadProblem, without a fix if the rule knows none. */
export function checkLiteral<T>(value: unknown, rule: Rule<T>): T {
  if (typeof value === 'string' && readsLikeExpression(value)) {
    const meant = value.replace(/^[\s${]+|[\s}]+$/g, '');
    throw new LoadProblem(
      'reads like an expression, but is a text',
      `Write \${${meant}}, or \${${JSON.stringify(value)}} if that very text is meant`,
    );
  }
  const refuse: Refuse = (problem) => {
    throw new LoadProblem(problem, '');
  };
  return rule(value, refuse, () => undefined);
}
