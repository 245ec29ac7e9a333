// CEL's logical operators, where one side may decide although the other failed (CEL language definition, "Logical
// Operators").
import type { ASTNode } from '@marcbachmann/cel-js';
import { blamed, excerpt } from './cel-tree.ts';
import { typeName } from './cel-values.ts';
import { expressionFailure, isExpressionFailure, spend, type Evaluation } from './evaluation.ts';

export type Evaluate = (evaluation: Evaluation) => unknown;

/** The fuel of a caught failure, which takes longer than a normal step. */
const failureCost = 20;

export const asBool = (value: unknown, node: ASTNode): boolean => {
  if (typeof value === 'boolean') return value;
  throw expressionFailure(`"${excerpt(node)}" is a ${typeName(value)}, not a bool`, blamed(node));
};

/** The value, or the failure, which the other operand may still override. */
export function attempt(run: Evaluate, evaluation: Evaluation): unknown {
  try {
    return run(evaluation);
  } catch (error) {
    if (!isExpressionFailure(error) || evaluation.fuel < 0) throw error;
    spend(evaluation, failureCost);
    return error;
  }
}

/**
 * `||` (deciding = true) and `&&` (deciding = false): the deciding value of one side overrides a failure of the other.
 */
export function compileLogical(
  deciding: boolean,
  left: Evaluate,
  right: Evaluate,
  nodes: readonly [ASTNode, ASTNode],
): Evaluate {
  return (evaluation) => {
    const first = attempt(left, evaluation);
    if (first === deciding) return deciding;
    if (first === !deciding) return asBool(right(evaluation), nodes[1]);
    if (right(evaluation) === deciding) return deciding;
    if (isExpressionFailure(first)) throw first;
    return asBool(first, nodes[0]);
  };
}
