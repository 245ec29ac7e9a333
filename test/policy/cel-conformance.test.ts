// The CEL specification's cases: every supported expression has the result of the specification, except for the
// deviations below. Also checks the figures in docs/cel-conformance.md.
import { describe, expect, it } from 'vitest';
import { readDocument } from '../contract/settings-documents.ts';
import { agrees, conformanceCases, knownToDiffer } from './cel-conformance.ts';

/** Cases whose expression loads but has another result, by the beginning of their names, with the reason. */
const deviations: readonly (readonly [reason: string, names: RegExp])[] = [
  [
    'a number is never rounded to the value of another number: `double(…)` fails instead',
    /^conversions\/(?:double\/(?:int_min_exact|int_max_exact|int_range|string_exp_pos_pos)|int\/double_big_(?:exact|precision))$/,
  ],
  [
    'an integer and a double beyond 2^53 are compared exactly; the specification rounds the integer first',
    /^comparisons\/(?:lt_literal\/not_lt_dyn_int_big_lossy_double|gt_literal\/not_gt_dyn_big_double_int|lte_literal\/lte_dyn_big_double_int|gte_literal\/gte_dyn_int_big_lossy_double)$/,
  ],
  [
    '`bool(…)` accepts only `"true"` and `"false"`',
    /^conversions\/bool\/string_(?:[01tf]|(?:true|false)_(?:upper|pascal)case)$/,
  ],
  ['`.?` treats null as an empty map, as cel-go does', /^optionals\/optionals\/map_null_entry_no_such_key$/],
];

const inside = conformanceCases.filter(({ outside }) => outside === undefined);
const deviating = inside.filter((one) => !agrees(one));
const deviatesFor = (name: string): string | undefined => deviations.find(([, names]) => names.test(name))?.[0];

const count = (values: readonly string[]): readonly (readonly [string, number])[] => {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
};

const table = (title: string, rows: readonly (readonly [string, number])[]): string =>
  [`| ${title} | cases |`, '|---|---|', ...rows.map(([name, cases]) => `| ${name} | ${cases} |`)].join('\n');

describe.each(count(inside.map(({ suite }) => suite)))('the suite %s (%i cases)', (suite) => {
  it('has the result of the specification, or deviates for a listed reason', () => {
    const unexplained = deviating.filter((one) => one.suite === suite && deviatesFor(one.name) === undefined);
    expect(unexplained).toEqual([]);
  });
});

it('refuses four expressions that have a value in CEL, because the types of their sides differ', () => {
  const refused = conformanceCases.filter(({ outside }) => outside === knownToDiffer);
  expect(refused.map(({ expression, expected }) => [expression, expected])).toEqual([
    ["['one'] == [2, 3]", { bool: false }],
    ['1.0 == 1', { bool: true }],
    ['[1] == [1.0]', { bool: true }],
    ["true ? 'cows' : 17", { string: 'cows' }],
  ]);
});

describe('docs/cel-conformance.md', () => {
  const document = readDocument('docs/cel-conformance.md');

  it.each([
    [
      'the counts',
      `${conformanceCases.length} cases; ${inside.length} of them are expressions that a policy may hold; ${inside.length - deviating.length} have the result of the specification.`,
    ],
    ['the deviations', table('deviation', count(deviating.map(({ name }) => deviatesFor(name) ?? name)))],
    ['the unsupported parts', table('part of CEL', count(conformanceCases.flatMap(({ outside }) => outside ?? [])))],
  ])('contains %s', (title, text) => {
    expect(document.includes(text), `docs/cel-conformance.md: replace ${title} by\n\n${text}\n`).toBe(true);
  });
});
