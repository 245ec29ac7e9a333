// Reading an expression: the names in it, and what is refused at load, with the fix.
import { describe, expect, it } from 'vitest';
import { createExpressionReader } from '../../../../src/policy/expression/read-expression.ts';
import { LoadProblem } from '../../../../src/problem.ts';
import { nameFailure, nameSentence } from '../../../support/sentences/name-sentence.ts';

const read = createExpressionReader(
  new Map([
    ['isAdmin', 'bool'],
    ['org', 'dyn'],
  ]),
);

describe('the names of an expression', () => {
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

describe('an expression is refused with a fix', () => {
  it.each<readonly [string, string, string, number]>([
    ['hash(claims.a)', 'unknownFunction(hash)', 'didYouMean(has)', 0],
    ['variable.isAdmin', 'unknownName(variable)', 'didYouMean(variables)', 0],
    ['variables.isadmin', 'undefinedVariable(isadmin)', 'didYouMean(isAdmin)', 0],
    ['has(dyn(claims.o).k)', 'hasTakesMember', 'writeNameIn', 0],
    ['claims.org-id == "x"', 'unknownName(id)', 'writeClaim(org-id)', 11],
    ['claims.level-1 > 2 && oops == 1', 'unknownName(oops)', 'writeClaimOrText(oops, oops)', 22],
    ...['size()', 'size(claims.a, 1)', 'claims.a.size(1)', 'claims.t.startsWith("a", "b")', 'claims.?a.orValue()'].map(
      (text) => {
        const name = /(size|startsWith|orValue)/.exec(text)?.[0] ?? '';
        const problem = `wrongArguments(${text}, ${name})`;
        return [text, problem, 'seeFunctions', 0] as const;
      },
    ),
    ...['all(x)', 'exists_one(x, true, true)', 'map(x, 1, 2, 3)', 'filter(x)'].map((call) => {
      const problem = `wrongArguments(claims.l.${call}, ${call.split('(', 1)[0] ?? ''})`;
      return [`claims.l.${call}`, problem, 'seeFunctions', 0] as const;
    }),
    ['has(claims)', 'hasTakesMember', 'writeNameIn', 0],
    ['has(claims.a, claims.b)', 'hasTakesMember', 'writeNameIn', 0],
    ['has("x")', 'hasTakesMember', 'writeNameIn', 0],
    ['has(variables.isAdmin)', 'hasTakesMember', 'writeNameIn', 0],
  ])('%s', (text, problem, fix, offset) => {
    let thrown: unknown;
    try {
      read(text);
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof LoadProblem)) expect.unreachable('it was read');
    expect([nameSentence(thrown.problem), nameSentence(thrown.fix), thrown.offset]).toEqual([problem, fix, offset]);
  });

  it.each([
    '{"a": claims.t.matches("x")}.?a',
    '[claims.t.matches("x")][?0]',
    'dyn(claims.t.matches("x")).y',
    'claims[claims.t.matches("x")]',
    'claims.l[claims.t.matches("x")][claims.i]',
    'claims.l[claims.i][claims.t.matches("x")]',
    ...['||', '&&', '==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', 'in'].flatMap((operator) => [
      `claims.t.matches("x") ${operator} claims.a`,
      `claims.a ${operator} claims.t.matches("x")`,
    ]),
    '!claims.t.matches("x")',
    '-claims.t.matches("x")',
    '[1, claims.t.matches("x")]',
    '{claims.t.matches("x"): 1}',
    '{"a": claims.t.matches("x")}',
    'claims.t.matches("x") ? 1 : 2',
    'true ? claims.t.matches("x") : 2',
    'true ? 1 : claims.t.matches("x")',
    'size(claims.t.matches("x"))',
    'claims.t.startsWith(claims.t.matches("x"))',
    'claims.?t.orValue(claims.t.matches("x"))',
    'claims.l.all(x, claims.t.matches("x"))',
    'claims.l.map(x, true, claims.t.matches("x"))',
    'claims.t.matches("x").all(x, true)',
  ])('if a part contains matches(): %s', (text) => {
    expect(nameFailure(() => read(text))).toBe('matchesNotAvailable');
  });

  it('and the fix lists all functions if none is similar', () => {
    expect(() => read('zzzzzzzz(1)')).toThrow(
      expect.objectContaining({
        fix: expect.stringMatching(/\bhas, size, startsWith, .*, value$/) as string,
      }) as Error,
    );
  });
});
