// Edge cases of the expression language: their results, or how they fail.
import { describe, expect, it } from 'vitest';
import { compile } from '../../../../src/policy/expression/compile-expression.ts';
import { createEvaluation } from '../../../../src/policy/expression/evaluation.ts';
import { createExpressionReader } from '../../../../src/policy/expression/read-expression.ts';
import { nameExpressionFailure } from '../../../support/sentences/name-expression-failure.ts';
import { nameFailure } from '../../../support/sentences/name-sentence.ts';

const read = createExpressionReader(new Map());

function evaluate(text: string, claims: Readonly<Record<string, unknown>>): unknown {
  let slots = 0;
  const context = { variable: () => () => null, newSlot: () => slots++, onBranch: () => undefined, bound: [] };
  return compile(read(text).ast, context)(createEvaluation(claims, 0));
}

const nested = (depth: number): unknown => {
  let value: unknown = 'x';
  for (let i = 0; i < depth; i += 1) value = [value];
  return value;
};

const claims = {
  t: 'text',
  n: 4,
  half: 0.5,
  b: true,
  z: null,
  l: ['a', 'b'],
  mixed: ['a', 1, null],
  o: { k: 'v' },
  more: { k: 'v', l: 'w' },
  deep: nested(80),
  deepToo: nested(80),
};

describe('an expression returns the right value', () => {
  it.each([
    ['dyn(1) == dyn(1.0)', true],
    ['dyn(1.0) == dyn(1)', true],
    ['claims.n == 4', true],
    ['claims.half == 1', false],
    ['4 == claims.n', true],
    ['claims.z == null', true],
    ['claims.o == claims.l', false],
    ['claims.l == claims.o', false],
    ['claims.o == claims.more', false],
    ['claims.more == claims.o', false],
    ['claims.o == {"k": "v"}', true],
    ['{"k": "v"} == claims.o', true],
    ['claims.o != {"k": "w"}', true],
    ['claims.t < "texts"', true],
    ['false < claims.b', true],
    ['(0.0 / 0.0) < 1.0', false],
    ['(0.0 / 0.0) <= 1.0', false],
    ['1.0 <= (0.0 / 0.0)', false],
    ['(0.0 / 0.0) >= (0.0 / 0.0)', false],
    ['1 < claims.half', false],
    ['size(claims.o)', 1n],
    ['size({"a": 1, "b": 2})', 2n],
    ['size(claims.l)', 2n],
    ['claims.t.substring(1, 3)', 'ex'],
    ['claims.t.substring(4)', ''],
    ['claims.t.lastIndexOf("t")', 3n],
    ['claims.t.indexOf("q")', -1n],
    ['double(3)', 3],
    ['double("2.5e1")', 25],
    ['double(claims.half)', 0.5],
    ['int(3)', 3n],
    ['int("-12")', -12n],
    ['int(-1.9)', -1n],
    ['bool(claims.b)', true],
    ['bool("true")', true],
    ['bool("false")', false],
    ['string(true)', 'true'],
    ['string(12)', '12'],
    ['-claims.n', -4],
    ['-(2)', -2n],
    ['claims.?q.?k.hasValue()', false],
    ['claims.?q.or(claims.?o).k.orValue("x")', 'v'],
    ['claims.?o.or(claims.?q).k.orValue("x")', 'v'],
    ['claims.?t.value()', 'text'],
    ['claims.l[?5].orValue("none")', 'none'],
    ['claims.l[1.0]', 'b'],
    ['claims.q == 1 && false', false],
    ['false && claims.q == 1', false],
    ['claims.q == 1 || true', true],
    ['claims.mixed.exists(x, x.startsWith("a"))', true],
    ['claims.mixed.all(x, x.startsWith("b"))', false],
    ['claims.l.all(x, x != "c")', true],
    ['claims.o.all(k, k == "k")', true],
    ['[].all(x, x == 1)', true],
    ['[].exists(x, x == 1)', false],
    ['"k" in claims.o', true],
    ['"q" in claims.o', false],
    ['4 in [claims.n]', true],
    ['claims.l + ["c"]', ['a', 'b', 'c']],
    ['"a-b-c".split("-")', ['a', 'b', 'c']],
    ['["a", "b"].join()', 'ab'],
    ['7 / 2', 3n],
    ['-7 % 3', -1n],
    ['7.0 / 2.0', 3.5],
    ['1 + 2', 3n],
    ['5 - 7', -2n],
    ['5.5 - 2.0', 3.5],
    ['2 * 3', 6n],
    ['1.5 * 2.0', 3],
    ['1.5 + 2.0', 3.5],
    ['1 < 1', false],
    ['1 <= 1', true],
    ['2 <= 1', false],
    ['1 >= 1', true],
    ['1 > 1', false],
    ['string(claims.t)', 'text'],
    ['size("a😀")', 2n],
    ['size("😀a")', 2n],
    ['size("😀")', 1n],
    ['size("😀😀b")', 3n],
    ['size("\u{10000}")', 1n],
    ['size("\uffffa")', 2n],
    ['"a😀bc".substring(2)', 'bc'],
    ['"a😀bc".substring(0, 2)', 'a😀'],
    ['"a😀bc".substring(1, 3)', '😀b'],
    ['"😀".substring(1)', ''],
    ['"a😀bc".indexOf("b")', 2n],
    ['"😀😀".indexOf("😀")', 0n],
    ['"a😀bca".lastIndexOf("a")', 4n],
    ['"😀".lastIndexOf("a")', -1n],
    ['"a😀".split("")', ['a', '😀']],
    ['"".split("")', []],
    ['"bob-ext".substring(size("bob-ext") - 4)', '-ext'],
    ['"😀bob-ext".substring(size("😀bob-ext") - 4)', '-ext'],
    ['has(claims.z.k)', false],
    ['claims.?z.?k.orValue("x")', 'x'],
  ])('%s', (text, value) => {
    expect(evaluate(text, claims)).toEqual(value);
  });
});

describe('an expression fails without repeating a value:', () => {
  it.each([
    ['claims.z.a', 'claimMissing(claims.z.a), claim z.a'],
    ['has(claims.t.k)', 'cannotLookInto(claims.t.k, string, string), claim t.k'],
    ['!has(claims.l.k)', 'cannotLookInto(claims.l.k, list, string), claim l.k'],
    ['claims.n.?k.orValue("x") == "x"', 'cannotLookInto(claims.n.?k, double, string), claim n.k'],
    ['claims.?t.?k.orValue("x") == "x"', 'cannotLookInto(claims.?t.?k, string, string), claim t.k'],
    ['claims.o[?0].orValue("x") == "x"', 'cannotLookInto(claims.o[?0], map, int), claim o'],
    ['claims.l[?claims.z].orValue("x") == "x"', 'cannotLookInto(claims.l[?claims.z], list, null), claim l'],
    ['claims.l[?claims.?t].orValue("x") == "x"', 'cannotLookInto(claims.l[?claims.?t], list, optional), claim l'],
    ['claims.o[?claims.?t].orValue("x") == "x"', 'cannotLookInto(claims.o[?claims.?t], map, optional), claim o'],
    ['!(claims.?t in claims.o)', 'optionalAsKey'],
    ['claims.o[dyn(claims.?t)] == "x"', 'optionalAsKey'],
    ['"a😀".substring(3)', 'indexOutOfRange(substring)'],
    ['dyn(claims.?t) != "blocked"', 'optionalCompared'],
    ['dyn(claims.?t) == dyn(claims.?t)', 'optionalCompared'],
    ['!("blocked" in dyn([claims.?t]))', 'optionalCompared'],
    ['claims.t < claims.n', 'operatorTypes(<, string, double), claim t'],
    ['claims.t > claims.n', 'operatorTypes(>, string, double), claim t'],
    ['claims.t >= claims.n', 'operatorTypes(>=, string, double), claim t'],
    ['claims.t - claims.n', 'operatorTypes(-, string, double), claim t'],
    ['claims.t * claims.n', 'operatorTypes(*, string, double), claim t'],
    ['claims.t / claims.n', 'operatorTypes(/, string, double), claim t'],
    ['1 / 0', 'divisionByZero(/)'],
    ['claims.t <= claims.n', 'operatorTypes(<=, string, double), claim t'],
    ['claims.z < claims.b', 'operatorTypes(<, null, bool), claim z'],
    ['claims.l + claims.o', 'operatorTypes(+, list, map), claim l'],
    ['claims.n + 1', 'operatorTypes(+, double, int), claim n'],
    ['dyn(claims.?t) + "a"', 'operatorTypes(+, optional, string)'],
    ['claims.half % claims.n', 'operatorTypes(%, double, double), claim half'],
    ['claims.t in claims.n', 'operatorTypes(in, string, double), claim t'],
    ['-claims.t', 'signType(string), claim t'],
    ['!claims.t', 'notBool(claims.t, string), claim t'],
    ['claims.t && true', 'notBool(claims.t, string), claim t'],
    ['true && claims.t', 'notBool(claims.t, string), claim t'],
    ['claims.q == 1 && claims.b', 'claimMissing(claims.q), claim q'],
    ['claims.deep == claims.deepToo', 'nestedTooDeep(claims.deep), claim deep'],
    ['claims.t.substring(5)', 'indexOutOfRange(substring), claim t'],
    ['claims.t.substring(-1)', 'indexOutOfRange(substring), claim t'],
    ['claims.t.substring(3, 1)', 'indexOutOfRange(substring), claim t'],
    ['claims.t.substring(0, 9)', 'indexOutOfRange(substring), claim t'],
    ['claims.t.substring(claims.n)', 'functionTypes(substring, string, double), claim t'],
    ['claims.n.startsWith("a")', 'functionTypes(startsWith, double, string), claim n'],
    ['claims.t.contains(claims.l)', 'functionTypes(contains, string, list), claim t'],
    ['size(claims.n)', 'functionTypes(size, double), claim n'],
    ['claims.mixed.join("")', 'joinNeedsStrings, claim mixed'],
    ['claims.t.join("")', 'functionTypes(join, string, string), claim t'],
    ['int(claims.t)', 'functionTypes(int, string), claim t'],
    ['int("0x10")', 'functionTypes(int, string)'],
    ['int("9223372036854775808")', 'intOverflow'],
    ['int(0.0 / 0.0)', 'functionTypes(int, double)'],
    ['double("1x")', 'functionTypes(double, string)'],
    ['int(claims.z)', 'functionTypes(int, null), claim z'],
    ['double("Infinity")', 'functionTypes(double, string)'],
    ['double(" 1")', 'functionTypes(double, string)'],
    ['double(claims.b)', 'functionTypes(double, bool), claim b'],
    ['bool("yes")', 'functionTypes(bool, string)'],
    ['bool("1")', 'functionTypes(bool, string)'],
    ['string(claims.l)', 'functionTypes(string, list), claim l'],
    ['1 % 0', 'divisionByZero(%)'],
    ['9223372036854775807 + 1', 'operatorOverflow(+)'],
    ['claims.?q.value()', 'claimMissing(claims.?q), claim q'],
    ['claims.t.orValue("x")', 'optionalNeeded(orValue), claim t'],
    ['claims.t.hasValue()', 'optionalNeeded(hasValue), claim t'],
    ['claims.l.filter(x, claims.n)', 'conditionNotBool(filter, double)'],
    ['claims.l.exists(x, claims.n)', 'conditionNotBool(exists, double)'],
    ['claims.l.all(x, claims.n)', 'conditionNotBool(all, double)'],
    ['claims.mixed.all(x, x.startsWith("a"))', 'functionTypes(startsWith, double, string)'],
    ['claims.mixed.exists(x, x.startsWith("q"))', 'functionTypes(startsWith, double, string)'],
    ['claims.mixed.exists_one(x, x.startsWith("a"))', 'functionTypes(startsWith, double, string)'],
    ['claims.t.exists(x, true)', 'collectionNeeded(exists, string), claim t'],
    ['{claims.n: 1}["a"]', 'mapKeyNotString, claim n'],
    ['{"a": 1, claims.l[0]: 2}["a"]', 'mapKeyTwice, claim l'],
  ])('%s', (text, problem) => {
    expect(nameExpressionFailure(() => evaluate(text, claims))).toBe(problem);
  });

  const small = { text: 'x', list: ['a'] };
  const big = { text: 'x'.repeat(4000), list: new Array(300).fill('l'.repeat(700)) };
  it.each([
    'claims.text.contains(claims.text)',
    'claims.text.startsWith(claims.text)',
    'claims.text.endsWith(claims.text)',
    'claims.text.indexOf(claims.text)',
    'claims.text.lastIndexOf(claims.text)',
    'claims.text.split(claims.text)',
    'claims.list.map(x, claims.text.split(""))',
    'claims.list.map(x, claims.text.trim())',
    'claims.list.map(x, claims.text.lowerAscii())',
    'claims.list.map(x, claims.text.substring(0))',
    'claims.list.map(x, size(claims.text))',
    'claims.list.map(x, claims.text + claims.text)',
    'claims.list.map(x, claims.list + claims.list)',
    'claims.list.map(x, claims.text < claims.text)',
    'claims.list.map(x, "q" in claims.list)',
    'claims.list.map(x, claims.list == ["q"] + claims.list)',
    'claims.list.map(x, claims.list == claims.list.map(y, y))',
    'claims.list.join("-")',
  ])('it uses up its fuel: %s', (text) => {
    expect(() => evaluate(text, small)).not.toThrow();
    expect(nameExpressionFailure(() => evaluate(text, big))).toBe('outOfFuel');
  });

  it.each([
    'claims.text.contains(claims.text) || true',
    'true && claims.text.contains(claims.text) && false',
    '[1, 2].exists(x, x == 1 && claims.text.contains(claims.text) || x == 2)',
    '[1, 2].all(x, x == 1 && claims.text.contains(claims.text) || x == 3)',
  ])('it uses up its fuel in a part whose result is not needed: %s', (text) => {
    expect(nameExpressionFailure(() => evaluate(text, big))).toBe('outOfFuel');
  });

  it('it uses up its fuel after many ignored failures', () => {
    const sixty = { list: new Array(60).fill('l') };
    const passedOver = 'claims.list.all(a, claims.list.all(b, claims.q == 1 || true))';
    expect(evaluate(passedOver, small)).toBe(true);
    expect(nameExpressionFailure(() => evaluate(passedOver, sixty))).toBe('outOfFuel');
  });

  it('the first argument of a macro is not a name', () => {
    expect(nameFailure(() => read('claims.l.exists("x", true)'))).toBe(
      'expressionInvalid(macroVariableInvalid(exists(var, predicate)))',
    );
  });
});
