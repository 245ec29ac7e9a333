// The corners of the expression language, one by one: what they give, or in which words they fail.
import { describe, expect, it } from 'vitest';
import { compile } from '../../../../src/policy/expression/compile-expression.ts';
import {
  createEvaluation,
  expressionFailure,
  isExpressionFailure,
} from '../../../../src/policy/expression/evaluation.ts';
import { createExpressionReader } from '../../../../src/policy/expression/read-expression.ts';

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

describe('an expression gives', () => {
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

describe('an expression fails, and says why without any value, for', () => {
  it.each([
    ['claims.z.a', '"claims.z.a" is missing'],
    ['has(claims.t.k)', '"claims.t.k" looks into a string by a string'],
    ['!has(claims.l.k)', '"claims.l.k" looks into a list by a string'],
    ['claims.n.?k.orValue("x") == "x"', '"claims.n.?k" looks into a double by a string'],
    ['claims.?t.?k.orValue("x") == "x"', '"claims.?t.?k" looks into a string by a string'],
    ['claims.o[?0].orValue("x") == "x"', '"claims.o[?0]" looks into a map by a int'],
    ['claims.l[?claims.z].orValue("x") == "x"', '"claims.l[?claims.z]" looks into a list by a null'],
    ['claims.l[?claims.?t].orValue("x") == "x"', '"claims.l[?claims.?t]" looks into a list by a optional'],
    ['claims.o[?claims.?t].orValue("x") == "x"', '"claims.o[?claims.?t]" looks into a map by a optional'],
    ['!(claims.?t in claims.o)', 'an optional value is used as a key; add .orValue("…") to it'],
    ['claims.o[dyn(claims.?t)] == "x"', 'an optional value is used as a key; add .orValue("…") to it'],
    ['"a😀".substring(3)', 'substring() was given an index out of range'],
    ['dyn(claims.?t) != "blocked"', 'an optional value is compared; add .orValue("…") to it'],
    ['dyn(claims.?t) == dyn(claims.?t)', 'an optional value is compared; add .orValue("…") to it'],
    ['!("blocked" in dyn([claims.?t]))', 'an optional value is compared; add .orValue("…") to it'],
    ['claims.t < claims.n', '"<" does not apply to string and double'],
    ['claims.t > claims.n', '">" does not apply to string and double'],
    ['claims.t >= claims.n', '">=" does not apply to string and double'],
    ['claims.t - claims.n', '"-" does not apply to string and double'],
    ['claims.t * claims.n', '"*" does not apply to string and double'],
    ['claims.t / claims.n', '"/" does not apply to string and double'],
    ['1 / 0', '"/" by zero'],
    ['claims.t <= claims.n', '"<=" does not apply to string and double'],
    ['claims.z < claims.b', '"<" does not apply to null and bool'],
    ['claims.l + claims.o', '"+" does not apply to list and map'],
    ['claims.n + 1', '"+" does not apply to double and int'],
    ['dyn(claims.?t) + "a"', '"+" does not apply to optional and string'],
    ['claims.half % claims.n', '"%" does not apply to double and double'],
    ['claims.t in claims.n', '"in" does not apply to string and double'],
    ['-claims.t', '"-" does not apply to string'],
    ['!claims.t', '"claims.t" is a string, not a bool'],
    ['claims.t && true', '"claims.t" is a string, not a bool'],
    ['true && claims.t', '"claims.t" is a string, not a bool'],
    ['claims.q == 1 && claims.b', '"claims.q" is missing'],
    ['claims.deep == claims.deepToo', '"claims.deep" holds values that are nested more than 64 levels deep'],
    ['claims.t.substring(5)', 'substring() was given an index out of range'],
    ['claims.t.substring(-1)', 'substring() was given an index out of range'],
    ['claims.t.substring(3, 1)', 'substring() was given an index out of range'],
    ['claims.t.substring(0, 9)', 'substring() was given an index out of range'],
    ['claims.t.substring(claims.n)', 'substring() does not apply to string, double'],
    ['claims.n.startsWith("a")', 'startsWith() does not apply to double, string'],
    ['claims.t.contains(claims.l)', 'contains() does not apply to string, list'],
    ['size(claims.n)', 'size() does not apply to double'],
    ['claims.mixed.join("")', 'join() takes a list of strings only'],
    ['claims.t.join("")', 'join() does not apply to string, string'],
    ['int(claims.t)', 'int() does not apply to string'],
    ['int("0x10")', 'int() does not apply to string'],
    ['int("9223372036854775808")', 'int() leaves the range of 64-bit integers'],
    ['int(0.0 / 0.0)', 'int() does not apply to double'],
    ['double("1x")', 'double() does not apply to string'],
    ['int(claims.z)', 'int() does not apply to null'],
    ['double("Infinity")', 'double() does not apply to string'],
    ['double(" 1")', 'double() does not apply to string'],
    ['double(claims.b)', 'double() does not apply to bool'],
    ['bool("yes")', 'bool() does not apply to string'],
    ['bool("1")', 'bool() does not apply to string'],
    ['string(claims.l)', 'string() does not apply to list'],
    ['1 % 0', '"%" by zero'],
    ['9223372036854775807 + 1', '"+" leaves the range of 64-bit integers'],
    ['claims.?q.value()', '"claims.?q" is missing'],
    ['claims.t.orValue("x")', 'orValue() needs an optional value such as claims.?email'],
    ['claims.t.hasValue()', 'hasValue() needs an optional value such as claims.?email'],
    ['claims.l.filter(x, claims.n)', 'the condition of filter() is a double, not a bool'],
    ['claims.l.exists(x, claims.n)', 'the condition of exists() is a double, not a bool'],
    ['claims.l.all(x, claims.n)', 'the condition of all() is a double, not a bool'],
    ['claims.mixed.all(x, x.startsWith("a"))', 'startsWith() does not apply to double, string'],
    ['claims.mixed.exists(x, x.startsWith("q"))', 'startsWith() does not apply to double, string'],
    ['claims.mixed.exists_one(x, x.startsWith("a"))', 'startsWith() does not apply to double, string'],
    ['claims.t.exists(x, true)', 'exists() needs a list or a map, not a string'],
    ['{claims.n: 1}["a"]', 'the keys of a map must be strings'],
    ['{"a": 1, claims.l[0]: 2}["a"]', 'a map has the same key twice'],
  ])('%s', (text, problem) => {
    let message = 'it did not fail';
    try {
      evaluate(text, claims);
    } catch (error) {
      if (!isExpressionFailure(error)) throw error;
      message = error.detail.problem ?? '';
    }
    expect(message).toBe(problem);
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
  ])('too much work: %s', (text) => {
    expect(() => evaluate(text, small)).not.toThrow();
    expect(() => evaluate(text, big)).toThrow(expressionFailure('the expressions of this decision take too long'));
  });

  it.each([
    'claims.text.contains(claims.text) || true',
    'true && claims.text.contains(claims.text) && false',
    '[1, 2].exists(x, x == 1 && claims.text.contains(claims.text) || x == 2)',
    '[1, 2].all(x, x == 1 && claims.text.contains(claims.text) || x == 3)',
  ])('work that is done in vain, whatever the other side says: %s', (text) => {
    expect(() => evaluate(text, big)).toThrow(expressionFailure('the expressions of this decision take too long'));
  });

  it('many failures that are passed over, each of which is paid for', () => {
    const sixty = { list: new Array(60).fill('l') };
    const passedOver = 'claims.list.all(a, claims.list.all(b, claims.q == 1 || true))';
    expect(evaluate(passedOver, small)).toBe(true);
    expect(() => evaluate(passedOver, sixty)).toThrow(
      expressionFailure('the expressions of this decision take too long'),
    );
  });

  it('a macro whose first argument is no name', () => {
    expect(() => read('claims.l.exists("x", true)')).toThrow(/invalid predicate iteration variable|takes a name/);
  });
});
