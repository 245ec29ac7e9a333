// CEL's conversions between types, strict about text: what is no plain number or boolean is refused.
import { ExpressionFailure, type Evaluation } from './evaluation.ts';
import { typeName } from './cel-values.ts';

/** The receiver of a method is its first argument. */
type Implementation = (evaluation: Evaluation, args: readonly unknown[], claim: string | undefined) => unknown;

export interface CelFunction {
  /** Counts of arguments after the receiver. */
  readonly asMethod?: readonly number[];
  readonly asFunction?: readonly number[];
  readonly call: Implementation;
}

export const wrong = (name: string, args: readonly unknown[], claim: string | undefined): ExpressionFailure =>
  new ExpressionFailure(`${name}() does not apply to ${args.map(typeName).join(', ')}`, claim);

const int64 = (value: bigint, claim: string | undefined): bigint => {
  if (BigInt.asIntN(64, value) === value) return value;
  throw new ExpressionFailure('int() leaves the range of 64-bit integers', claim);
};

export const celConversions: readonly (readonly [string, CelFunction])[] = [
  [
    'string',
    {
      asFunction: [1],
      call: (_evaluation, args, claim) => {
        const value = args[0];
        if (typeof value === 'string') return value;
        if (typeof value === 'boolean' || typeof value === 'bigint' || typeof value === 'number') return String(value);
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
        if (typeof value === 'number' && Number.isFinite(value)) return int64(BigInt(Math.trunc(value)), claim);
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
        if (typeof value === 'bigint') return Number(value);
        if (typeof value === 'string' && /^-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$/.test(value))
          return Number(value);
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
