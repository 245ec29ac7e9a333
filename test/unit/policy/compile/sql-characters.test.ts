import { describe, expect, it } from 'vitest';
import { couldEndSqlText } from '../../../../src/policy/compile/sql-characters.ts';

describe('a text that could end inside SQL', () => {
  it.each([
    ...['"', "'", '`', '\\', ';'],
    ...['\u00b4', '\u02b9', '\u02ba', '\u02bb', '\u02bc', '\u02c8', '\u02cb'],
    ...['\u2018', '\u2019', '\u201a', '\u201b', '\u201c', '\u201d', '\u201e', '\u201f', '\u2032', '\u2035', '\u2037'],
    ...['\u2216', '\uff02', '\uff07', '\uff1b', '\uff3c', '\uff40', '\ufe68', '\u037e', '\u1fef', '\u1ffd'],
    ...['--', '-\u2010', '\u2212\u2212', '\u2013\u2014', '\uff0d\uff0d', '\ufe63-'],
    ...['/*', '\u2215*', '/\u2217', '\uff0f\uff0a', '\u2044\uff0a'],
  ])('is %j', (text) => {
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

  it('holds every character that a normal form makes one of the dangerous ones', () => {
    const dangerous = /["'`\\;]/;
    for (let code = 0x80; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const text = String.fromCodePoint(code);
      const folds = ['NFC', 'NFD', 'NFKC', 'NFKD'].some((form) => dangerous.test(text.normalize(form)));
      if (folds && !couldEndSqlText(text)) expect.fail(code.toString(16));
    }
  });
});
