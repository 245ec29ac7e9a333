import { describe, expect, it } from 'vitest';
import { visibleText } from '../../src/printable.ts';

describe('visible text', () => {
  it.each(['a', ' a ', '.', '0', 'é', '東', '😀', '\u200ba', '̈'])('includes %j', (text) => {
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
  ])('does not include %j', (text) => {
    expect(visibleText.test(text)).toBe(false);
  });
});
