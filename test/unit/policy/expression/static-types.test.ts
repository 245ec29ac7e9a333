// Static types: which are accepted at a site, and the type of a variable for later expressions.
import { describe, expect, it } from 'vitest';
import { registrableType, typeFits, type ExpectedType } from '../../../../src/policy/expression/read-expression.ts';
import { expressionIn } from '../../../../src/policy/document/field-schema.ts';

describe('a static type', () => {
  const all: readonly ExpectedType[] = ['bool', 'string', 'number', 'list'];
  it.each([
    ['dyn', all],
    ['dyn<A>', all],
    ['bool', ['bool']],
    ['string', ['string']],
    ['int', ['number']],
    ['double', ['number']],
    ['list', ['list']],
    ['list<string>', ['list']],
    ['list<dyn>', ['list']],
    ['list<A>', ['list']],
    ['list<int>', []],
    ['list<list<string>>', []],
    ['map<string, dyn>', []],
    ['map<list<string>', []],
    ['null', []],
    ['xdyn', []],
  ])('%s accepts values like %j', (type, places) => {
    expect(all.filter((place) => typeFits(type, [place]))).toEqual(places);
  });

  it.each([
    ['bool', 'bool'],
    ['int', 'int'],
    ['list', 'list'],
    ['list<string>', 'list<string>'],
    ['list<dyn>', 'list<dyn>'],
    ['list<map<string, dyn>>', 'list'],
    ['list<A>', 'list'],
    ['map<string, dyn>', 'map'],
    ['map<string, list>', 'map'],
    ['optional<string>', 'dyn'],
    ['optional<list>', 'dyn'],
    ['null', 'dyn'],
    ['xbool', 'dyn'],
    ['boolx', 'dyn'],
  ])('%s is declared as %s', (type, registered) => expect(registrableType(type)).toBe(registered));
});

describe('an expression in a scalar', () => {
  it('is the whole scalar, or there is none', () => {
    expect(expressionIn('${claims.a}')).toEqual({
      text: 'claims.a',
      offset: 2,
    });
    for (const literal of ['x${claims.a}', '${claims.a', 'claims.a}', '$claims', '', 1, null]) {
      expect(expressionIn(literal)).toBeUndefined();
    }
  });
});
