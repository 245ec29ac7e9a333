// Reading an expression: what it names, and what is refused at load, with the mend.
import { describe, expect, it } from 'vitest';
import { ExpressionProblem } from '../../../src/policy/cel-subset.ts';
import { createExpressionReader } from '../../../src/policy/read-expression.ts';

const read = createExpressionReader(
  new Map([
    ['isAdmin', 'bool'],
    ['org', 'dyn'],
  ]),
);

describe('an expression that is read names', () => {
  it.each([
    ['claims.a.b == claims.c[0]', ['a.b', 'c'], []],
    ['claims[claims.k] == 1', ['*', 'k'], []],
    ['claims.l[claims.i].x', ['l', 'i'], []],
    ['claims.?a.?b.orValue("")', ['a.b'], []],
    ['size(claims) > 1', ['*'], []],
    ['has(claims.a.?b.c)', ['a.b.c'], []],
    ['has(variables.org.id)', [], ['org']],
    ['variables.isAdmin ? claims.a : claims["b c"]', ['a', 'b c'], ['isAdmin']],
    ['claims.l.exists(x, x == variables.org)', ['l'], ['org']],
  ])('%s', (text, claims, variables) => {
    const expression = read(text);
    expect([expression.claims, expression.variables]).toEqual([claims, variables]);
  });
});

describe('an expression is refused, with the mend,', () => {
  const memberOnly = 'has() takes one member, such as has(claims.email)';
  it.each([
    ['hash(claims.a)', 'hash() is not a function of the policy language', 'Did you mean has', 0],
    ['variable.isAdmin', '"variable" is neither claims nor variables', 'Did you mean variables', 0],
    ['variables.isadmin', 'variables.isadmin is not defined above', 'Did you mean isAdmin', 0],
    ['has(dyn(claims.o).k)', memberOnly, 'For other names write "name" in claims', 0],
    ['has(claims)', memberOnly, 'For other names write "name" in claims', 0],
    ['has(claims.a, claims.b)', memberOnly, 'For other names write "name" in claims', 0],
    ['has("x")', memberOnly, 'For other names write "name" in claims', 0],
    ['has(variables.isAdmin)', memberOnly, 'For other names write "name" in claims', 0],
  ])('%s', (text, what, mend, offset) => {
    let problem: unknown;
    try {
      read(text);
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(ExpressionProblem);
    expect(problem).toMatchObject({ message: what, mend, offset });
  });

  it.each([
    '{"a": claims.t.matches("x")}.?a',
    '[claims.t.matches("x")][?0]',
    'dyn(claims.t.matches("x")).y',
    'claims[claims.t.matches("x")]',
  ])('also inside what is looked into: %s', (text) => {
    expect(() => read(text)).toThrow('matches() is not available');
  });

  it('with all functions when none is near', () => {
    expect(() => read('zzzzzzzz(1)')).toThrow(
      expect.objectContaining({
        mend: expect.stringMatching(/^Use one of has, size, startsWith, .*, value$/) as string,
      }) as Error,
    );
  });
});
