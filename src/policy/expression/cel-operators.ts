// CEL's binary operators. Comparisons mix int and double, arithmetic does not (CEL language definition, "Standard
// Definitions"). Results cost fuel by their size.
import type { ASTNode } from '@marcbachmann/cel-js';
import type { ServiceError } from '../../errors.ts';
import { expressionFailure, spend, type Evaluation } from './evaluation.ts';
import { compareText, equal, isMap, isNumeric, member, typeName } from './cel-values.ts';

type Operator = (evaluation: Evaluation, left: unknown, right: unknown, claim: string | undefined) => unknown;

const mismatch = (operator: string, left: unknown, right: unknown, claim: string | undefined): ServiceError =>
  expressionFailure(`"${operator}" does not apply to ${typeName(left)} and ${typeName(right)}`, claim);

const comparison =
  (operator: string, holds: (order: number) => boolean): Operator =>
  (evaluation, left, right, claim) => {
    if (typeof left === 'string' && typeof right === 'string') {
      spend(evaluation, left.length >> 4);
      return holds(compareText(left, right));
    }
    if ((isNumeric(left) && isNumeric(right)) || (typeof left === 'boolean' && typeof right === 'boolean')) {
      if (left !== left || right !== right) return false;
      return holds(left < right ? -1 : left > right ? 1 : 0);
    }
    throw mismatch(operator, left, right, claim);
  };

const inInt64 = (operator: string, value: bigint, claim: string | undefined): bigint => {
  if (BigInt.asIntN(64, value) === value) return value;
  throw expressionFailure(`"${operator}" leaves the range of 64-bit integers`, claim);
};

/** From here on, neighbouring doubles differ by at least 1. */
const coarse = 2 ** 52;
/** Below this, doubles lose digits. */
const smallestNormal = 2 ** -1022;

/**
 * Whether the result is exact, so that two ids never become one. Fractions in the normal range are rounded as usual
 * (0.1 + 0.2).
 */
function isDistinct(operator: string, a: number, b: number, result: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b) || !Number.isFinite(result)) return true;
  if (Math.max(Math.abs(a), Math.abs(b), Math.abs(result)) >= coarse) {
    const whole = [a, b, result].every((number) => Number.isSafeInteger(number));
    return whole && (operator !== '/' || a % b === 0);
  }
  return Math.abs(result) >= smallestNormal || '+-'.includes(operator) || a === 0 || b === 0;
}

const arithmetic =
  (
    operator: string,
    ofInts: (a: bigint, b: bigint) => bigint,
    ofDoubles: ((a: number, b: number) => number) | undefined,
  ): Operator =>
  (_evaluation, left, right, claim) => {
    if (typeof left === 'bigint' && typeof right === 'bigint') {
      if ((operator === '/' || operator === '%') && right === 0n)
        throw expressionFailure(`"${operator}" by zero`, claim);
      // Like the reference implementation, check the quotient also for the remainder.
      if (operator === '%') inInt64(operator, left / right, claim);
      return inInt64(operator, ofInts(left, right), claim);
    }
    if (typeof left === 'number' && typeof right === 'number' && ofDoubles !== undefined) {
      const result = ofDoubles(left, right);
      if (isDistinct(operator, left, right, result)) return result;
      throw expressionFailure(`"${operator}" would round, so that two numbers could become one`, claim);
    }
    throw mismatch(operator, left, right, claim);
  };

const addNumbers = arithmetic(
  '+',
  (a, b) => a + b,
  (a, b) => a + b,
);

const add: Operator = (evaluation, left, right, claim) => {
  if (typeof left === 'string' && typeof right === 'string') {
    spend(evaluation, (left.length + right.length) >> 2);
    return left + right;
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    spend(evaluation, left.length + right.length);
    return [...(left as readonly unknown[]), ...(right as readonly unknown[])];
  }
  return addNumbers(evaluation, left, right, claim);
};

const isIn: Operator = (evaluation, left, right, claim) => {
  if (Array.isArray(right)) {
    for (const item of right as readonly unknown[]) {
      spend(evaluation, 1);
      if (equal(evaluation, left, item)) return true;
    }
    return false;
  }
  if (isMap(right)) return member(right, left) !== undefined;
  throw mismatch('in', left, right, claim);
};

export const binaryOperators = {
  '==': (evaluation, left, right) => equal(evaluation, left, right),
  '!=': (evaluation, left, right) => !equal(evaluation, left, right),
  '<': comparison('<', (order) => order < 0),
  '<=': comparison('<=', (order) => order <= 0),
  '>': comparison('>', (order) => order > 0),
  '>=': comparison('>=', (order) => order >= 0),
  '+': add,
  '-': arithmetic(
    '-',
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  '*': arithmetic(
    '*',
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  '/': arithmetic(
    '/',
    (a, b) => a / b,
    (a, b) => a / b,
  ),
  '%': arithmetic('%', (a, b) => a % b, undefined),
  in: isIn,
} as const satisfies Record<string, Operator>;

/** Whether a node applies one of these operators. */
export const isBinaryOperation = (
  node: ASTNode,
): node is Extract<ASTNode, { readonly op: keyof typeof binaryOperators }> => Object.hasOwn(binaryOperators, node.op);
