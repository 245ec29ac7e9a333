import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../src/strict-json.ts';
import { visibleText } from '../../src/printable.ts';

describe('a frozen value', () => {
  it('is frozen with everything in it, and is the same value', () => {
    const value = { a: { b: [{ c: 1 }, null, 'x'] }, d: [] };
    expect(deepFreeze(value)).toBe(value);
    expect([value, value.a, value.a.b, value.a.b[0], value.d].every(Object.isFrozen)).toBe(true);
  });

  it.each(['text', 1, true, null, undefined])('may be %s', (value) => {
    expect(deepFreeze(value)).toBe(value);
  });
});

describe('visible text', () => {
  it.each(['a', ' a ', '.', '0', 'é', '東', '😀', '\u200ba', '̈'])('is %j', (text) => {
    expect(visibleText.test(text)).toBe(true);
  });

  it.each([
    '',
    ' ',
    '\t\n',
    '\u00a0',
    '\u200b',
    '\u2060',
    '\u3000',
    '\u3164',
    '\u2800',
    '\ufeff',
    '\u0000',
    '\ud800',
    '\u{e0061}',
  ])('is not %j', (text) => {
    expect(visibleText.test(text)).toBe(false);
  });
});
