// The CEL specification's cases: for each the expected result, our result, and if it is not supported, the part of CEL
// that it needs.
import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { nameSentence } from '../support/sentences/name-sentence.ts';
import { celProblem, celResult, type CelResult } from './cel-value.ts';

/** A value in the JSON form of `google.api.expr.v1alpha1.Value`. */
type SpecValue = Readonly<Record<string, unknown>>;

interface SpecCase {
  readonly name?: string;
  readonly expr: string;
  readonly bindings?: Readonly<Record<string, { readonly value?: SpecValue }>>;
  readonly value?: SpecValue;
  readonly evalError?: unknown;
  readonly typedResult?: { readonly result?: SpecValue };
}

export interface ConformanceCase {
  /** `suite/section/case`. */
  readonly name: string;
  readonly suite: string;
  readonly expression: string;
  /** `any`: only the type matters. */
  readonly expected: CelResult | 'any';
  readonly ours: CelResult;
  /** The unsupported part of CEL, if the expression does not load. */
  readonly outside: string | undefined;
}

const listOf = (value: unknown): readonly SpecValue[] =>
  (value as { readonly values?: readonly SpecValue[] }).values ?? [];
const entriesOf = (value: unknown): readonly { readonly key: SpecValue; readonly value: SpecValue }[] =>
  (value as { readonly entries?: readonly { key: SpecValue; value: SpecValue }[] }).entries ?? [];

const byText = ([a]: readonly unknown[], [b]: readonly unknown[]): number =>
  JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;

function expectedValue(value: SpecValue): Readonly<Record<string, unknown>> {
  if ('int64Value' in value) return { int: String(value['int64Value']) };
  if (typeof value['doubleValue'] === 'number') return { double: value['doubleValue'] + 0 };
  if ('doubleValue' in value) return { double: 'not finite' };
  if ('stringValue' in value) return { string: value['stringValue'] };
  if ('boolValue' in value) return { bool: value['boolValue'] };
  if ('nullValue' in value) return { null: true };
  if ('listValue' in value) return { list: listOf(value['listValue']).map(expectedValue) };
  if (!('mapValue' in value)) return { other: value };
  const pairs = entriesOf(value['mapValue']).map(({ key, value }) => [expectedValue(key), expectedValue(value)]);
  return { map: pairs.sort(byText) };
}

/** A value as an expression; undefined if our subset of CEL cannot express it. */
function literal(value: SpecValue): string | undefined {
  const all = (parts: readonly (string | undefined)[]): string | undefined =>
    parts.includes(undefined) ? undefined : parts.join(', ');
  if ('int64Value' in value) return String(value['int64Value']);
  if (typeof value['doubleValue'] === 'number')
    return Number.isInteger(value['doubleValue']) ? value['doubleValue'].toFixed(1) : String(value['doubleValue']);
  if ('stringValue' in value) return JSON.stringify(value['stringValue']);
  if ('boolValue' in value) return String(value['boolValue']);
  if ('nullValue' in value) return 'null';
  if ('listValue' in value) {
    const items = all(listOf(value['listValue']).map(literal));
    return items === undefined ? undefined : `[${items}]`;
  }
  if ('mapValue' in value) {
    const entries = entriesOf(value['mapValue']).map((entry) => {
      const [key, inner] = [literal(entry.key), literal(entry.value)];
      return key === undefined || inner === undefined ? undefined : `${key}: ${inner}`;
    });
    const text = all(entries);
    return text === undefined ? undefined : `{${text}}`;
  }
  return undefined;
}

/** Words of CEL itself: a case that binds them checks that their value stays the same. */
const reserved: ReadonlySet<string> = new Set(['true', 'false', 'null']);

/** Binds the variables of a case with a macro, because our subset of CEL has no other way to bind names. */
function withBindings({ expr, bindings = {} }: SpecCase): string {
  let text = expr;
  for (const [name, { value }] of Object.entries(bindings)) {
    const bound = value === undefined ? undefined : literal(value);
    if (bound !== undefined && /^\w+$/.test(name) && !reserved.has(name)) text = `[${bound}].map(${name}, ${text})[0]`;
  }
  return text;
}

const messages = 'messages (protocol buffers)';
const wrongTypes =
  'wrong types: the type checker refuses an expression that the case expects to fail, or to be skipped, when it runs';
/** In CEL these have a value. */
export const knownToDiffer = '`==` or `? :` between two types that the type checker knows to differ';
const names = 'names other than `claims` and `variables`: types, enums, namespaces, unset variables';

/** Parts of CEL that a policy does not need, by the loader's problem with an expression that uses one. */
const outsideParts: readonly (readonly [part: string, pattern: RegExp])[] = [
  [messages, /got LBRACE|Unexpected character: '\{'/],
  ['bytes and unsigned integers', /^unsupportedLiteral|Unexpected character: '["']'/],
  [names, /^unknownName/],
  ['functions that are not supported', /^unknownFunction|^matchesNotAvailable/],
  ['variants of functions and macros with other arguments', /^wrongArguments|macroVariableInvalid/],
  ['maps with keys that are not strings', /^mapKeyNotString/],
  ['`has()` of something other than a claim or variable', /^hasTakesMember/],
  [wrongTypes, /no such overload|no matching overload|same type|must be bool|requires bool|Cannot index/],
  [
    'members in back quotes, `.5`, form feeds, optional elements of lists and maps',
    /Unexpected character: [`\f]|Unexpected token: (?:DOT|QUESTION)/,
  ],
  ['the elements of `[]` and `{}`', /^elementsWithoutType/],
  ['more arguments than any function has', /maxCallArguments/],
];

const otherwise = (problem: string): string => `not explained: ${problem}`;

/** The unsupported part of CEL that a case needs, by the loader's problem with its expression. */
function outsidePart(problem: string, expression: string, expectsFailure: boolean): string {
  const part = outsideParts.find(([, pattern]) => pattern.test(nameSentence(problem)))?.[0] ?? otherwise(problem);
  // The parser stops at the first dot of `.cel.expr.conformance.proto3.TestAllTypes{…}`, before the brace.
  if (problem.endsWith('Unexpected token: DOT') && expression.includes('TestAllTypes')) return messages;
  if (part !== wrongTypes || expectsFailure || /&&|\|\|/.test(expression)) return part;
  return /same type|overload: .+ == /.test(problem) ? knownToDiffer : otherwise(problem);
}

function toConformanceCase(suite: string, section: string, original: SpecCase): ConformanceCase {
  const expression = withBindings(original);
  const ours = celResult(expression);
  const namesNamespace = Object.keys(original.bindings ?? {}).some((name) => name.includes('.'));
  const value = original.value ?? original.typedResult?.result;
  const about = original.typedResult === undefined ? { bool: true } : 'any';
  return {
    name: `${suite}/${section}/${original.name ?? original.expr}`,
    suite,
    expression: original.expr,
    expected: original.evalError === undefined ? (value === undefined ? about : expectedValue(value)) : 'run',
    ours,
    outside: namesNamespace
      ? names
      : ours === 'load'
        ? outsidePart(celProblem(expression), original.expr, original.evalError !== undefined)
        : undefined,
  };
}

/** All cases of the specification. */
export const conformanceCases: readonly ConformanceCase[] = (tests.suites ?? []).flatMap(
  ({ name: suite, suites = [] }) =>
    suites.flatMap(({ name: section, tests: cases = [] }) =>
      cases.map(({ original }) => toConformanceCase(suite, section, original as unknown as SpecCase)),
    ),
);

export const agrees = ({ expected, ours }: ConformanceCase): boolean =>
  expected === 'any' || JSON.stringify(expected) === JSON.stringify(ours);
