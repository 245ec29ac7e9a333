import { Environment, type ASTNode } from '@marcbachmann/cel-js';
import { describe, expect, it } from 'vitest';
import {
  claimReadBy,
  claimPath,
  isClaims,
  macroCall,
  variableName,
} from '../../../../src/policy/expression/cel-tree.ts';

const environment = new Environment({ enableOptionalTypes: true });
const tree = (text: string): ASTNode => environment.parse(text).ast;

describe('the variable that an expression names', () => {
  it.each([
    ['variables.x', 'x'],
    ['variables["x"]', 'x'],
    ["variables['a b']", 'a b'],
    ['variables', undefined],
    ['variables.x.y', undefined],
    ['variables[0]', undefined],
    ['variables[claims.x]', undefined],
    ['claims.x', undefined],
    ['claims["x"]', undefined],
    ['claims.variables.x', undefined],
    ['claims.variables["x"]', undefined],
    ['"variables"["x"]', undefined],
    ['variables + claims', undefined],
  ])('%s: %s', (text, name) => {
    expect(variableName(tree(text))).toBe(name);
  });
});

describe('the claim that an expression names', () => {
  it.each([
    ['claims.a', 'a', true],
    ['claims.a.b', 'a.b', true],
    ['claims["a"].b', 'a.b', true],
    ['claims["a.b"]["c"]', 'a.b.c', true],
    ['claims.?a', 'a', true],
    ['claims.a.?b', 'a.b', true],
    ['claims[?"a"]', 'a', true],
    ['claims.a[0]', 'a', true],
    ['claims.a[0].b', 'a.b', true],
    ['claims.a[claims.b]', 'a', false],
    ['claims.a[?claims.b]', 'a', false],
    ['claims[claims.b]', undefined, false],
    ['claims[claims.b].c', undefined, false],
    ['claims[0]', undefined, false],
    ['claims', undefined, false],
    ['variables.a', undefined, false],
    ['variables.claims', undefined, false],
    ['claims.a + claims.b', undefined, false],
    ['"claims".a', undefined, false],
    ['[claims.a][0]', undefined, false],
  ])('%s: %s', (text, path, literal) => {
    expect(claimPath(tree(text))).toBe(path);
    expect(isClaims(tree(text))).toBe(literal);
  });

  it('is the first one that is found', () => {
    expect(claimReadBy(tree('"x"'), tree('claims.a'), tree('claims.b'))).toBe('a');
    expect(claimReadBy(tree('"x"'))).toBeUndefined();
    expect(claimReadBy()).toBeUndefined();
  });
});

describe('the macro that an expression calls', () => {
  it('is returned with its receiver, name and bodies', () => {
    const call = macroCall(tree('claims.l.map(e, e > 1, e + 1)'));
    expect(call).toMatchObject({ name: 'map', bound: 'e' });
    expect(call?.receiver.op).toBe('.');
    expect(call?.bodies.map(({ op }) => op)).toEqual(['>', '+']);
    expect(macroCall(tree('[1].all(e, e > 0)'))?.bodies).toHaveLength(1);
  });

  it.each(['claims.t.startsWith("a")', 'claims.t.contains(e)', 'claims.t.exists()', 'size(claims.l)', 'claims.t'])(
    'is undefined in %s',
    (text) => {
      expect(macroCall(tree(text))).toBeUndefined();
    },
  );
});
