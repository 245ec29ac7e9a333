import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze, own, parseJsonObject } from '../../src/strict-json.ts';
import { anyCharacter } from '../support/any-character.ts';
import { sentenceOf } from '../support/sentences/name-sentence.ts';

const parse = (text: string): unknown => parseJsonObject(Buffer.from(text));

describe('strict JSON', () => {
  it('parses every JSON object like JSON.parse', () => {
    const value = fc.dictionary(
      fc.string({ unit: 'grapheme' }),
      fc.jsonValue({ maxDepth: 4, stringUnit: anyCharacter }),
    );
    fc.assert(
      fc.property(value, fc.nat(3), (object, indent) => {
        const text = JSON.stringify(object, null, indent);
        fc.pre(text.isWellFormed() && !/\\u[dD][89a-fA-F]/.test(text));
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('accepts colons, quotes and backslashes in strings', () => {
    const object = { 'a:"b': ':\\":', c: ['\\', { 'd\\': '"x":1,"x":2' }] };
    expect(parse(JSON.stringify(object))).toEqual(object);
  });

  it('refuses a repeated member at any depth', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":{"b":1,"b":2}}',
      '{"a":[{"b":1},{"c":1,"c":1}]}',
      '{"a":1,"\\u0061":1}',
    ]) {
      expect(() => parse(text)).toThrow(new SyntaxError(sentenceOf('jsonDuplicate')));
    }
  });

  it('allows the same name in different objects', () => {
    expect(parse('{"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":1}]}')).toHaveProperty('x');
  });

  it('keeps __proto__ as an own member', () => {
    const object = parseJsonObject(Buffer.from('{"__proto__":{"admin":true}}'));
    expect(Object.keys(object)).toEqual(['__proto__']);
    expect(own(object, 'admin')).toBeUndefined();
    expect(own(object, 'toString')).toBeUndefined();
    expect(own(object, '__proto__')).toEqual({ admin: true });
  });

  it.each([
    ['a list', '[]'],
    ['null', 'null'],
    ['a string', '"a"'],
  ])('refuses %s', (_title, text) => {
    expect(() => parse(text)).toThrow(new SyntaxError(sentenceOf('secretNotJson')));
  });

  it.each([
    ['a string', '{"a":"\\ud800"}'],
    ['a string in a list', '{"a":["\\udfff"]}'],
    ['a member name', '{"\\udbff":1}'],
  ])('refuses a lone surrogate in %s', (_title, text) => {
    expect(() => parse(text)).toThrow(new SyntaxError(sentenceOf('jsonLoneSurrogate')));
  });

  it('accepts a pair of surrogates', () => {
    expect(parse('{"\\ud83d\\ude00":"\\ud83d\\ude00"}')).toEqual({ '😀': '😀' });
  });

  it('refuses numbers that are too large for a double', () => {
    expect(() => parse('{"a":[1e999]}')).toThrow(new SyntaxError(sentenceOf('jsonNumberTooLarge')));
    expect(parse('{"a":1e308}')).toEqual({ a: 1e308 });
  });

  it('refuses more than 32 levels of nesting', () => {
    const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(parse(nested(32))).toHaveProperty('a');
    expect(() => parse(nested(33))).toThrow(new SyntaxError(sentenceOf('jsonTooDeep')));
    expect(() => parse(`{"a":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`)).toThrow(
      new SyntaxError(sentenceOf('jsonTooDeep')),
    );
  });

  it('refuses invalid UTF-8, a byte order mark, and text that is not JSON', () => {
    for (const bytes of [
      Buffer.from([0x7b, 0xff, 0x7d]),
      Buffer.from('\uFEFF{}'),
      Buffer.from('{a:1}'),
      Buffer.alloc(0),
    ]) {
      expect(() => parseJsonObject(bytes)).toThrow(new SyntaxError(sentenceOf('notJson')));
    }
  });

  it('does not repeat the input in its errors', () => {
    for (const text of ['secret-text', '{"secret-text":1,"secret-text":1}', '{"secret-text":"\\ud800"}']) {
      expect(() => parse(text)).not.toThrow(/secret-text/);
    }
  });
});

describe('a frozen value', () => {
  it('is the same value, frozen at every depth', () => {
    const value = { a: { b: [{ c: 1 }, null, 'x'] }, d: [] };
    expect(deepFreeze(value)).toBe(value);
    expect([value, value.a, value.a.b, value.a.b[0], value.d].every(Object.isFrozen)).toBe(true);
  });

  it.each(['text', 1, true, null, undefined])('may be %s', (value) => {
    expect(deepFreeze(value)).toBe(value);
  });
});
