// Each rule for a value: which values pass unchanged, and which are refused with which problem.
import { describe, expect, it } from 'vitest';
import {
  checkLiteral,
  couldEndSqlText,
  createTimeZoneRule,
  dashboardFilterRule,
  dateRule,
  filterTextRule,
  flagRule,
  listRule,
  metricFilterRule,
  numberRule,
  type Rule,
} from '../../../../src/policy/compile/value-rules.ts';
import { LoadProblem } from '../../../../src/problem.ts';
import { nameSentence } from '../../../support/sentences/name-sentence.ts';

class Refused extends Error {}

const outcome = <T>(rule: Rule<T>, value: unknown): unknown => {
  try {
    const refuse = (problem: string): never => {
      throw new Refused(problem);
    };
    return rule(value, refuse, () => undefined);
  } catch (error) {
    if (error instanceof Refused) return nameSentence(error.message);
    throw error;
  }
};

const element = filterTextRule(undefined);

describe('a number', () => {
  it.each([
    [1, 1],
    [0.5, 0.5],
    [7n, 7],
    [9007199254740991n, 9007199254740991],
    [9007199254740992n, 'numberInexact'],
    ['1', 'notNumber'],
    [true, 'notNumber'],
    [NaN, 'notFinite'],
    [Infinity, 'notFinite'],
  ])('%s: %s', (value, expected) => expect(outcome(numberRule, value)).toBe(expected));
});

describe('a date', () => {
  const form = 'notDate';
  const calendar = 'notCalendarDay';
  it.each([
    ['2024-02-29', '2024-02-29'],
    ['2023-02-29', calendar],
    ['2024-13-01', calendar],
    ['2024-02-29T', form],
    ['2024-02-29Z', form],
    ['x2024-02-29', form],
    ['+2024-02-29', form],
    ['24-02-29', form],
    [['2024-02-29'], form],
    [20240229, form],
  ])('%j: %s', (value, expected) => expect(outcome(dateRule, value)).toBe(expected));
});

describe('a time zone', () => {
  const refused = 'notTimeZone';
  const rule = createTimeZoneRule();
  it.each(['UTC', 'Etc/UTC', 'GMT', 'Europe/Berlin', 'US/Pacific', 'America/Argentina/Buenos_Aires'])('%s', (zone) => {
    expect(outcome(rule, zone)).toBe(zone);
  });
  it.each([
    '+02:00',
    '-0800',
    '/Europe/Berlin',
    'Europe/Berlin ',
    ' UTC',
    'UTC\n',
    'Europe/Nowhere',
    '',
    1,
    null,
    ['UTC'],
  ])('%j is invalid', (zone) => expect(outcome(rule, zone)).toBe(refused));
  it('in the list of the runtime needs no further check', () => {
    const original = Intl.DateTimeFormat;
    try {
      Object.assign(Intl, { DateTimeFormat: undefined });
      expect(outcome(rule, 'Europe/Berlin')).toBe('Europe/Berlin');
    } finally {
      Object.assign(Intl, { DateTimeFormat: original });
    }
  });
});

describe('a filter value', () => {
  it.each([
    [null, 'isNull'],
    [{ sql: '1' }, 'notScalarOrList'],
    [undefined, 'notScalarOrList'],
    [false, false],
    [2n, 2],
    ['DE', 'DE'],
    [[], 'emptyList'],
    [[1], 'listOfNumbers'],
  ])('for a metric: %s', (value, expected) => {
    expect(outcome(metricFilterRule(element), value)).toEqual(expected);
  });

  it.each([
    [null, 'isNull'],
    [{ sql: '1' }, 'notTextOrList'],
    [true, 'notTextOrList'],
    [1, 'notTextOrList'],
    ['DE', 'DE'],
    [['DE'], ['DE']],
  ])('for a dashboard: %s', (value, expected) => {
    expect(outcome(dashboardFilterRule(element), value)).toEqual(expected);
  });
});

describe('a list and a flag', () => {
  it('have a checked length and type', () => {
    const thousand = new Array<string>(1000).fill('a');
    expect(outcome(listRule(element, false), thousand)).toEqual(thousand);
    expect(outcome(listRule(element, false), [...thousand, 'a'])).toBe('listTooLong');
    expect(outcome(listRule(element, true), [])).toEqual([]);
    expect(outcome(listRule(element, false), 'a')).toBe('notList');
    expect(outcome(flagRule, false)).toBe(false);
    expect(outcome(flagRule, 0)).toBe('notTrueOrFalse');
  });
});

const anything: Rule<unknown> = (value) => value;

function refusalOf(literal: unknown): readonly string[] {
  try {
    checkLiteral(literal, anything);
    return [];
  } catch (error) {
    if (!(error instanceof LoadProblem)) throw error;
    return [nameSentence(error.problem), nameSentence(error.fix)];
  }
}

describe('a literal', () => {
  it.each(['acme', 'claims', 'all claims. Open ones', 'claims-overview', 'variables', 'myclaims.x', 5, true, null])(
    'is accepted if its rule accepts it: %s',
    (value) => {
      expect(checkLiteral(value, anything)).toBe(value);
    },
  );

  it('is refused with the problem of its rule', () => {
    const refuse: Rule<unknown> = (_value, refuse) => refuse('is too short');
    expect(() => checkLiteral('a', refuse)).toThrow(new LoadProblem('is too short', ''));
  });

  it('passes on a programming error in a rule', () => {
    expect(() =>
      checkLiteral('a', () => {
        throw new TypeError('bug');
      }),
    ).toThrow(TypeError);
  });

  it.each([
    'claims.org_id',
    'claims["org_id"]',
    'claims[?"x"]',
    'claims.?org',
    'variables.tenant',
    '"x" + claims.org',
    'size(claims.l)',
  ])('is refused if it looks like an expression: %s', (value) => {
    expect(refusalOf(value)).toEqual([
      'looksLikeExpression',
      `writeExpressionOrText(${value}, ${JSON.stringify(value)})`,
    ]);
  });

  it.each(['{{claims.sub}}', '{{ claims.sub }}', '$claims.sub', '${claims.sub', '{claims.sub}'])(
    'is refused in the syntax of other languages, with a fix in our syntax: %s',
    (value) => {
      const fix = `writeExpressionOrText(claims.sub, ${JSON.stringify(value)})`;
      expect(refusalOf(value)).toEqual(['looksLikeExpression', fix]);
    },
  );

  it('uses no fuel', () => {
    expect(checkLiteral('a', (_value, _refuse, pay) => pay(1_000_000))).toBeUndefined();
  });
});

describe('a string that could end a string in SQL', () => {
  it.each([
    ...['"', "'", '`', '\\', ';'],
    ...['\u00b4', '\u02b9', '\u02ba', '\u02bb', '\u02bc', '\u02c8', '\u02cb'],
    ...['\u2018', '\u2019', '\u201a', '\u201b', '\u201c', '\u201d', '\u201e', '\u201f', '\u2032', '\u2035', '\u2037'],
    ...['\u2216', '\uff02', '\uff07', '\uff1b', '\uff3c', '\uff40', '\ufe68', '\u037e', '\u1fef', '\u1ffd'],
    ...['--', '-\u2010', '\u2212\u2212', '\u2013\u2014', '\uff0d\uff0d', '\ufe63-'],
    ...['/*', '\u2215*', '/\u2217', '\uff0f\uff0a', '\u2044\uff0a'],
  ])('may be %j', (text) => {
    expect(couldEndSqlText(text)).toBe(true);
    expect(couldEndSqlText(`a ${text}b`)).toBe(true);
  });

  it.each([
    '',
    'EU',
    'a-b',
    'a - b',
    'a/b',
    'a*b',
    '*/',
    'Zürich',
    '東京',
    'ﬁ½',
    'a–b',
    'Łódź',
    '😀',
    'ａ－ｂ',
    '1/2',
    '50 %',
    'a,b(c)',
  ])('is not %j', (text) => {
    expect(couldEndSqlText(text)).toBe(false);
  });

  it('may be any character that Unicode normalisation turns into a dangerous one', () => {
    const dangerous = /["'`\\;]/;
    for (let code = 0x80; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const text = String.fromCodePoint(code);
      const folds = ['NFC', 'NFD', 'NFKC', 'NFKD'].some((form) => dangerous.test(text.normalize(form)));
      if (folds && !couldEndSqlText(text)) expect.fail(code.toString(16));
    }
  });
});
