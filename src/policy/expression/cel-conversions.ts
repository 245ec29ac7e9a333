// CEL's type conversions, strict for strings: anything but a plain number or boolean is refused.
import type { ServiceError } from '../../errors.ts';
import { expressionFailure, type Evaluation } from './evaluation.ts';
import { typeName } from './cel-values.ts';

/** The receiver of a method is its first argument. */
type Implementation = (evaluation: Evaluation, args: readonly unknown[], claim: string | undefined) => unknown;

export interface CelFunction {
  /** Counts of arguments after the receiver. */
  readonly asMethod?: readonly number[];
  readonly asFunction?: readonly number[];
  readonly call: Implementation;
}

export const wrong = (name: string, args: readonly unknown[], claim: string | undefined): ServiceError =>
  expressionFailure(`${name}() does not apply to ${args.map(typeName).join(', ')}`, claim);

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

export const celConversions: readonly (readonly [string, CelFunction])[] = [
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
