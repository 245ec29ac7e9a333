import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { treeDifferences } from '../../../src/policy/tree-difference.ts';

const differences = (left: unknown, right: unknown) => [...treeDifferences(left, right)];

describe('treeDifferences', () => {
  it('returns the path of the member that differs', () => {
    expect(differences({ params: { allowedEmbeds: ['a', 'b'] } }, { params: { allowedEmbeds: ['a', 'c'] } })).toEqual([
      { path: 'params.allowedEmbeds[1]', left: { value: 'b' }, right: { value: 'c' } },
    ]);
  });

  it('returns missing and additional members', () => {
    expect(differences({ a: 1, list: [1, 2] }, { b: 2, list: [1] })).toEqual([
      { path: 'a', left: { value: 1 } },
      { path: 'list[1]', left: { value: 2 } },
      { path: 'b', right: { value: 2 } },
    ]);
    expect(differences([], ['x'])).toEqual([{ path: '[0]', right: { value: 'x' } }]);
  });

  it.each([
    [1, '1'],
    [true, 'true'],
    [null, undefined],
    [[], {}],
    [{}, null],
    [0, false],
  ])('distinguishes %j from %j', (expected, actual) => {
    expect(differences({ value: expected }, { value: actual })).toHaveLength(1);
  });

  it('respects the order of a list', () => {
    expect(differences(['a', 'b'], ['b', 'a'])).toHaveLength(2);
  });

  it('ignores inherited members', () => {
    expect(differences({ toString: 'x' }, {})).toEqual([{ path: 'toString', left: { value: 'x' } }]);
  });

  it('returns nothing exactly if both trees are the same JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(differences(a, structuredClone(a))).toEqual([]);
        const same = canonical(a) === canonical(b);
        expect(differences(a, b).length === 0).toBe(same);
      }),
    );
  });
});

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`)
      .sort()
      .join(',')}}`;
  }
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}
