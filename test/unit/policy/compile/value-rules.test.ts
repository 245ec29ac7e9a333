// Each rule for a value by itself: what passes as it is, and what is refused in which words.
import { describe, expect, it } from 'vitest';
import {
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

class Refused extends Error {}

const outcome = <T>(rule: Rule<T>, value: unknown): unknown => {
  try {
    const refuse = (what: string): never => {
      throw new Refused(what);
    };
    return rule(value, refuse, () => undefined);
  } catch (error) {
    if (error instanceof Refused) return error.message;
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
    [9007199254740992n, 'is an integer too large to be exact'],
    ['1', 'is not a number'],
    [true, 'is not a number'],
    [NaN, 'is not a finite number'],
    [Infinity, 'is not a finite number'],
  ])('%s: %s', (value, expected) => expect(outcome(numberRule, value)).toBe(expected));
});

describe('a date', () => {
  const form = 'is not a date written YYYY-MM-DD';
  const calendar = 'is not a day of the calendar';
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
  const refused = 'is not an IANA time zone such as Europe/Berlin';
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
  ])('%j is none', (zone) => expect(outcome(rule, zone)).toBe(refused));
  it('that the runtime lists is not asked for', () => {
    const asked = Intl.DateTimeFormat;
    try {
      Object.assign(Intl, { DateTimeFormat: undefined });
      expect(outcome(rule, 'Europe/Berlin')).toBe('Europe/Berlin');
    } finally {
      Object.assign(Intl, { DateTimeFormat: asked });
    }
  });
});

describe('a filter value', () => {
  it.each([
    [null, 'is null'],
    [{ sql: '1' }, 'is neither a boolean, number, string nor list of strings'],
    [undefined, 'is neither a boolean, number, string nor list of strings'],
    [false, false],
    [2n, 2],
    ['DE', 'DE'],
    [[], 'is an empty list'],
    [[1], 'is not a string'],
  ])('of a metric: %s', (value, expected) => {
    expect(outcome(metricFilterRule(element), value)).toEqual(expected);
  });

  it.each([
    [null, 'is null'],
    [{ sql: '1' }, 'is neither a string nor a list of strings'],
    [true, 'is neither a string nor a list of strings'],
    [1, 'is neither a string nor a list of strings'],
    ['DE', 'DE'],
    [['DE'], ['DE']],
  ])('of a dashboard: %s', (value, expected) => {
    expect(outcome(dashboardFilterRule(element), value)).toEqual(expected);
  });
});

describe('a list and a flag', () => {
  it('are held to their length and type', () => {
    const thousand = new Array<string>(1000).fill('a');
    expect(outcome(listRule(element, false), thousand)).toEqual(thousand);
    expect(outcome(listRule(element, false), [...thousand, 'a'])).toBe('has more than 1000 elements');
    expect(outcome(listRule(element, true), [])).toEqual([]);
    expect(outcome(listRule(element, false), 'a')).toBe('is not a list');
    expect(outcome(flagRule, false)).toBe(false);
    expect(outcome(flagRule, 0)).toBe('is not true or false');
  });
});
