import { describe, expect, it } from 'vitest';
import {
  elementsOf,
  equal,
  flawOf,
  flaws,
  member,
  none,
  Optional,
  typeName,
} from '../../../../src/policy/expression/cel-values.ts';
import { createEvaluation, expressionFailure, type Flaw } from '../../../../src/policy/expression/evaluation.ts';
import { nameExpressionFailure } from '../../../support/sentences/name-expression-failure.ts';

const same = (a: unknown, b: unknown): boolean => equal(createEvaluation({}, 0), a, b);

/** The fuel that a comparison uses. */
function fuelFor(a: unknown, b: unknown): number {
  const evaluation = createEvaluation({}, 0);
  const full = evaluation.fuel;
  equal(evaluation, a, b);
  return full - evaluation.fuel;
}

const nested = (depth: number, leaf: unknown = 'x'): unknown => {
  let value: unknown = leaf;
  for (let i = 0; i < depth; i += 1) value = [value];
  return value;
};
const nestedInMaps = (depth: number, leaf: unknown = 'x'): unknown => {
  let value: unknown = leaf;
  for (let i = 0; i < depth; i += 1) value = { k: value };
  return value;
};

describe('equal values', () => {
  it.each([
    [1n, 1n],
    [1n, 1],
    [1, 1n],
    [0.5, 0.5],
    ['1', '1'],
    [null, null],
    [[], []],
    [
      ['a', 1],
      ['a', 1n],
    ],
    [{}, new Map()],
    [{ a: { b: [1] } }, new Map([['a', new Map([['b', [1n]]])]])],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ a: null }, { a: null }],
  ])('%o and %o', (a, b) => {
    expect(same(a, b)).toBe(true);
    expect(same(b, a)).toBe(true);
  });
});

describe('different values', () => {
  it.each([
    [1n, 2],
    [1n, 1.5],
    [1n, Number.NaN],
    [1n, Number.POSITIVE_INFINITY],
    [Number.NaN, Number.NaN],
    [2n ** 53n + 1n, 2 ** 53],
    [1n, '1'],
    [1, '1'],
    [2 ** 53, '1'],
    [2 ** 53, null],
    [2 ** 53, {}],
    [2 ** 53, []],
    [null, [2 ** 53]],
    ['1', { n: 2 ** 53 }],
    [1n, true],
    [1n, null],
    [1, null],
    [1n, [1n]],
    [1, { a: 1 }],
    ['', null],
    ['', []],
    [true, {}],
    [null, {}],
    [null, []],
    [undefined, {}],
    [[], {}],
    [[], new Map()],
    [['a'], { 0: 'a' }],
    [['a'], ['b']],
    [
      ['a', 'b'],
      ['a', 'c'],
    ],
    [
      ['b', 'a'],
      ['c', 'a'],
    ],
    [['a'], ['a', 'b']],
    [{ a: 1 }, { a: 2 }],
    [
      { a: 1, b: 1 },
      { a: 1, b: 2 },
    ],
    [
      { a: 1, b: 1 },
      { a: 2, b: 1 },
    ],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: null }, { b: null }],
    [{ constructor: 1 }, { toString: 1 }],
  ])('%o and %o', (a, b) => {
    expect(same(a, b)).toBe(false);
    expect(same(b, a)).toBe(false);
  });
});

describe('a comparison', () => {
  it.each([
    [new Optional(true, 'a'), new Optional(true, 'a')],
    [new Optional(true, 'a'), 'a'],
    [new Optional(true, 'a'), { present: true, value: 'a' }],
    [none, none],
    [none, null],
    [
      ['a', none],
      ['a', 'b'],
    ],
    [{ k: none }, { k: 'b' }],
  ])('fails for optional values: %o and %o', (a, b) => {
    expect(nameExpressionFailure(() => same(a, b))).toBe('optionalCompared');
    expect(nameExpressionFailure(() => same(b, a))).toBe('optionalCompared');
  });

  it('fails for integers that JSON may have changed, at any depth', () => {
    const failure = expressionFailure(`"==" compares ${flaws.number}`);
    expect(() => same({ n: 2 ** 53 }, { n: 2 ** 53 })).toThrow(failure);
    expect(() => same([[2 ** 53]], [[1]])).toThrow(failure);
    expect(() => same([[1]], [[2 ** 53]])).toThrow(failure);
    expect(same({ n: 2 ** 53 - 1 }, { n: 2 ** 53 - 1 })).toBe(true);
  });

  it('uses fuel for each element of a list and each key of a map', () => {
    expect(fuelFor('a', 'a')).toBe(0);
    expect(fuelFor(['a', 'b', 'c'], ['a', 'b', 'c'])).toBe(3);
    expect(fuelFor({ a: 1, b: [1, 2] }, { a: 1, b: [1, 2] })).toBe(4);
    expect(fuelFor(['a', 'b', 'c'], ['a'])).toBe(0);
  });

  it.each([
    ['lists', nested],
    ['maps', nestedInMaps],
  ])('goes 64 %s deep, and no deeper', (_title, build) => {
    expect(same(build(64), build(64))).toBe(true);
    expect(same(build(64), build(64, 'y'))).toBe(false);
    const failure = expressionFailure(`"==" compares ${flaws.depth}`);
    for (const [a, b] of [
      [65, 65],
      [500, 3],
      [3, 500],
    ] as const)
      expect(() => same(build(a), build(b))).toThrow(failure);
  });
});

describe('a member', () => {
  it('is found by its key or index', () => {
    expect(member({ a: 1 }, 'a')).toBe(1);
    expect(member(new Map([['a', 1]]), 'a')).toBe(1);
    expect(member(['x', 'y'], 1n)).toBe('y');
    expect(member(['x', 'y'], 0)).toBe('x');
  });

  it.each([{}, new Map(), [], 'text', null])('of %o cannot be found by an optional value', (container) => {
    expect(nameExpressionFailure(() => member(container, none))).toBe('optionalAsKey');
    expect(nameExpressionFailure(() => member(container, new Optional(true, 'a')))).toBe('optionalAsKey');
  });

  it.each<readonly [unknown, unknown]>([
    [{}, 'constructor'],
    [new Map(), 'size'],
    [['x'], 'length'],
    [['x'], '0'],
    [['x'], -1n],
    [['x'], 1n],
    [['x'], 0.5],
    [['x'], Number.NaN],
    [['x'], 2n ** 70n],
    [['x'], null],
    [['x'], true],
    [{ 0: 'x' }, 0n],
    [new Map([['0', 'x']]), 0n],
    ['text', 0n],
    ['text', 'length'],
    [null, 'a'],
    [null, 0],
    [new Optional(true, 'x'), 'value'],
  ])('of %o by %o does not exist', (container, key) => {
    expect(member(container, key)).toBeUndefined();
  });
});

describe('the flaw of a value', () => {
  it.each<readonly [unknown, Flaw | undefined]>([
    [2 ** 53 - 1, undefined],
    [-(2 ** 53 - 1), undefined],
    [2 ** 53, 'number'],
    [-(2 ** 53), 'number'],
    [1e300, 'number'],
    [0.5, undefined],
    ['9007199254740993', undefined],
    [null, undefined],
    [true, undefined],
    [[1, 2], undefined],
    [[1, 2 ** 53], 'number'],
    [{ a: { b: [2 ** 53] }, c: 1 }, 'number'],
    [{ a: { b: [1] } }, undefined],
    ['\u{1f600}', undefined],
    ['a\ud83d', 'text'],
    ['\ude00a', 'text'],
    [['a', ['\ud83d']], 'text'],
    [{ a: { '\ud83d': 1 } }, 'text'],
    [nested(64), undefined],
    [nested(65), 'depth'],
    [nested(500), 'depth'],
  ])('%j: %s', (value, flaw) => {
    expect(flawOf(createEvaluation({}, 0), value)).toBe(flaw);
  });

  it('is cached for each value of a decision, so that shared parts cost nothing more', () => {
    const evaluation = createEvaluation({}, 0);
    let shared: unknown = [1];
    for (let i = 0; i < 60; i += 1) shared = [shared, shared];
    expect(flawOf(evaluation, shared)).toBeUndefined();
    let flawed: unknown = [2 ** 53];
    for (let i = 0; i < 60; i += 1) flawed = [[], flawed];
    expect([flawOf(evaluation, flawed), flawOf(evaluation, flawed)]).toEqual(['number', 'number']);
  });
});

describe('the elements of a macro', () => {
  it('are the elements of a list and the keys of a map', () => {
    expect(elementsOf(['a', 1], 'all', undefined)).toEqual(['a', 1]);
    expect(elementsOf({ k: 1 }, 'all', undefined)).toEqual(['k']);
    expect(elementsOf(new Map([['k', 1]]), 'all', undefined)).toEqual(['k']);
  });

  it('must be valid strings', () => {
    const failure = expressionFailure(`all() goes over ${flaws.text}`, 'roles');
    expect(() => elementsOf({ a: 1, '\ud83d': 1 }, 'all', 'roles')).toThrow(failure);
  });

  it.each(['text', 1, 1n, true, null, none])('cannot come from %s', (value) => {
    expect(nameExpressionFailure(() => elementsOf(value, 'all', 'roles'))).toBe(
      `collectionNeeded(all, ${typeName(value)}), claim roles`,
    );
  });
});

describe('the name of a type', () => {
  it.each([
    ['a', 'string'],
    [1, 'double'],
    [1n, 'int'],
    [true, 'bool'],
    [null, 'null'],
    [[], 'list'],
    [{}, 'map'],
    [new Map(), 'map'],
    [none, 'optional'],
  ])('%o has the type %s', (value, name) => {
    expect(typeName(value)).toBe(name);
  });
});
