// The functions that a policy may call: a closed list, each bounded by fuel, without `matches()` (a backtracking
// regular expression), times, bytes and types. `lowerAscii` changes ASCII only: a Kelvin sign does not become "k".
import type { ServiceError } from '../../errors.ts';
import { isPlainObject, typeName } from './cel-values.ts';
import { expressionFailure, spend, type Evaluation } from './evaluation.ts';

/** The receiver of a method is its first argument. */
type Implementation = (evaluation: Evaluation, args: readonly unknown[], claim: string | undefined) => unknown;

export interface CelFunction {
  /** Counts of arguments after the receiver. */
  readonly asMethod?: readonly number[];
  readonly asFunction?: readonly number[];
  readonly call: Implementation;
}

const wrong = (name: string, args: readonly unknown[], claim: string | undefined): ServiceError =>
  expressionFailure(`${name}() does not apply to ${args.map(typeName).join(', ')}`, claim);

const textOf = (name: string, args: readonly unknown[], index: number, claim: string | undefined): string => {
  const value = args[index];
  if (typeof value === 'string') return value;
  throw wrong(name, args, claim);
};

const indexOf = (name: string, args: readonly unknown[], index: number, length: number, claim?: string): number => {
  const value = args[index];
  if (typeof value !== 'bigint') throw wrong(name, args, claim);
  if (value < 0n || value > BigInt(length)) throw expressionFailure(`${name}() was given an index out of range`, claim);
  return Number(value);
};

/** CEL measures strings in code points, JavaScript in UTF-16 units: characters above U+FFFF have two. */
const codePoints = (text: string): number => text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);

/** A search costs at most the product of both lengths. */
const search = (evaluation: Evaluation, text: string, sought: string): void =>
  spend(evaluation, 1 + Math.floor((text.length * (1 + sought.length)) / 256));

const predicate = (name: string, holds: (text: string, part: string) => boolean): CelFunction => ({
  asMethod: [1],
  call: (evaluation, args, claim) => {
    const text = textOf(name, args, 0, claim);
    const part = textOf(name, args, 1, claim);
    search(evaluation, text, part);
    return holds(text, part);
  },
});

const rewriting = (name: string, rewrite: (text: string) => string): CelFunction => ({
  asMethod: [0],
  call: (evaluation, args, claim) => {
    const text = textOf(name, args, 0, claim);
    spend(evaluation, 1 + (text.length >> 2));
    return rewrite(text);
  },
});

/** Unicode's White_Space. JavaScript's trim() differs: it keeps U+0085 and removes U+FEFF. */
const whiteSpace = /^\p{White_Space}$/u;

/** A loop, because a regular expression for the end would take quadratic time. */
function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && whiteSpace.test(text.charAt(start))) start += 1;
  while (end > start && whiteSpace.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

const position = (name: 'indexOf' | 'lastIndexOf'): CelFunction => ({
  asMethod: [1],
  call: (evaluation, args, claim) => {
    const text = textOf(name, args, 0, claim);
    const part = textOf(name, args, 1, claim);
    search(evaluation, text, part);
    const found = text[name](part);
    return BigInt(found < 0 ? found : codePoints(text.slice(0, found)));
  },
});

const int64 = (value: bigint, claim: string | undefined): bigint => {
  if (BigInt.asIntN(64, value) === value) return value;
  throw expressionFailure('int() leaves the range of 64-bit integers', claim);
};

const decimal = /^-?([0-9]{1,40})(?:\.([0-9]{1,40}))?(?:[eE][+-]?[0-9]{1,3})?$/;

/** Whether the string converts to this double without rounding: an exact integer, or at most 15 digits (IEEE 754). */
function isKept(text: string): boolean {
  const [, whole = '', fraction] = decimal.exec(text) ?? [];
  const number = Number(text);
  if (Number.isInteger(number) && !Number.isSafeInteger(number)) return false;
  const digits = (whole + (fraction ?? '')).replace(/^0+/, '').replace(/0+$/, '');
  if (digits.length <= 15) return digits === '' || Math.abs(number) >= 2 ** -1022;
  return fraction === undefined && /^-?[0-9]+$/.test(text);
}

/** Type conversions, strict for strings: anything but a plain number or boolean is refused. */
const conversions: readonly (readonly [string, CelFunction])[] = [
  [
    'string',
    {
      asFunction: [1],
      call: (_evaluation, args, claim) => {
        const value = args[0];
        if (typeof value === 'string') return value;
        if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
        if (typeof value === 'number' && Number.isFinite(value)) return String(value);
        throw wrong('string', args, claim);
      },
    },
  ],
  [
    'int',
    {
      asFunction: [1],
      call: (_evaluation, args, claim) => {
        const value = args[0];
        if (typeof value === 'bigint') return value;
        // Like the reference implementation, without -2^63.
        if (typeof value === 'number' && Math.abs(value) < 2 ** 63) return BigInt(Math.trunc(value));
        if (typeof value === 'string' && /^-?[0-9]{1,19}$/.test(value)) return int64(BigInt(value), claim);
        throw wrong('int', args, claim);
      },
    },
  ],
  [
    'double',
    {
      asFunction: [1],
      call: (_evaluation, args, claim) => {
        const value = args[0];
        if (typeof value === 'number') return value;
        if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
        if (typeof value === 'bigint' || (typeof value === 'string' && decimal.test(value))) {
          if (isKept(String(value))) return Number(value);
          throw expressionFailure('double() would round the number, so that two numbers could become one', claim);
        }
        throw wrong('double', args, claim);
      },
    },
  ],
  [
    'bool',
    {
      asFunction: [1],
      call: (_evaluation, args, claim) => {
        const value = args[0];
        if (typeof value === 'boolean') return value;
        if (value === 'true') return true;
        if (value === 'false') return false;
        throw wrong('bool', args, claim);
      },
    },
  ],
];

export const celFunctions: ReadonlyMap<string, CelFunction> = new Map<string, CelFunction>([
  [
    'size',
    {
      asFunction: [1],
      asMethod: [0],
      call: (evaluation, args, claim) => {
        const value = args[0];
        if (typeof value === 'string') {
          spend(evaluation, 1 + (value.length >> 4));
          return BigInt(codePoints(value));
        }
        if (Array.isArray(value)) return BigInt(value.length);
        if (value instanceof Map) return BigInt(value.size);
        if (isPlainObject(value)) return BigInt(Object.keys(value).length);
        throw wrong('size', args, claim);
      },
    },
  ],
  ['startsWith', predicate('startsWith', (text, part) => text.startsWith(part))],
  ['endsWith', predicate('endsWith', (text, part) => text.endsWith(part))],
  ['contains', predicate('contains', (text, part) => text.includes(part))],
  ['lowerAscii', rewriting('lowerAscii', (text) => text.replace(/[A-Z]+/g, (run) => run.toLowerCase()))],
  ['upperAscii', rewriting('upperAscii', (text) => text.replace(/[a-z]+/g, (run) => run.toUpperCase()))],
  ['trim', rewriting('trim', trim)],
  ['indexOf', position('indexOf')],
  ['lastIndexOf', position('lastIndexOf')],
  [
    'substring',
    {
      asMethod: [1, 2],
      call: (evaluation, args, claim) => {
        const text = textOf('substring', args, 0, claim);
        spend(evaluation, 1 + (text.length >> 2));
        const length = codePoints(text);
        const start = indexOf('substring', args, 1, length, claim);
        const end = args.length > 2 ? indexOf('substring', args, 2, length, claim) : length;
        if (end < start) throw expressionFailure('substring() was given an index out of range', claim);
        return length === text.length ? text.slice(start, end) : [...text].slice(start, end).join('');
      },
    },
  ],
  [
    'split',
    {
      asMethod: [1],
      call: (evaluation, args, claim) => {
        const text = textOf('split', args, 0, claim);
        const separator = textOf('split', args, 1, claim);
        search(evaluation, text, separator);
        const parts = separator === '' ? [...text] : text.split(separator);
        spend(evaluation, parts.length);
        return parts;
      },
    },
  ],
  [
    'join',
    {
      asMethod: [0, 1],
      call: (evaluation, args, claim) => {
        const parts = args[0];
        const separator = args.length > 1 ? textOf('join', args, 1, claim) : '';
        if (!Array.isArray(parts)) throw wrong('join', args, claim);
        let length = 0;
        for (const part of parts as readonly unknown[]) {
          if (typeof part !== 'string') throw expressionFailure('join() takes a list of strings only', claim);
          length += part.length + separator.length;
        }
        spend(evaluation, parts.length + (length >> 2));
        return parts.join(separator);
      },
    },
  ],
  ...conversions,
  ['dyn', { asFunction: [1], call: (_evaluation, args) => args[0] }],
]);

/** Methods of optional values. */
export const optionalMethods: ReadonlyMap<string, readonly number[]> = new Map([
  ['orValue', [1]],
  ['or', [1]],
  ['hasValue', [0]],
  ['value', [0]],
]);
