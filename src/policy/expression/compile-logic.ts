// CEL's logical operators and its macros over lists and maps, where one side or element may decide although another
// failed (CEL language definition, "Logical Operators" and "Macros"). Each element costs fuel for the whole body, so
// that nested macros over long claims end early.
import type { ServiceError } from '../../errors.ts';
import type { ASTNode } from '@marcbachmann/cel-js';
import { claimReadBy, excerpt } from './cel-tree.ts';
import { elementsOf, typeName } from './cel-values.ts';
import { expressionFailure, isExpressionFailure, spend, type Evaluation, type Evaluate } from './evaluation.ts';

/** The fuel of a caught failure, which takes longer than a normal step. */
const failureCost = 20;

export const asBool = (value: unknown, node: ASTNode): boolean => {
  if (typeof value === 'boolean') return value;
  throw expressionFailure(`"${excerpt(node)}" is a ${typeName(value)}, not a bool`, claimReadBy(node));
};

/** The value, or the failure, which the other operand may still override. */
function attempt(run: Evaluate, evaluation: Evaluation): unknown {
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

interface MacroParts {
  readonly name: string;
  readonly list: Evaluate;
  /** The first is a condition, except for map() with one. */
  readonly bodies: readonly Evaluate[];
  /** Units that one element costs. */
  readonly cost: number;
  /** Where `evaluation.locals` holds the element. */
  readonly slot: number;
  /** The claim that the list is read from. */
  readonly claim: string | undefined;
}

const notBool = (name: string, value: unknown): ServiceError =>
  expressionFailure(`the condition of ${name}() is a ${typeName(value)}, not a bool`);

/** Compiles a macro from its compiled parts. */
export function compileMacro({ name, list, bodies: [first, second], cost, slot, claim }: MacroParts): Evaluate {
  if (first === undefined) throw new TypeError(`${name}() was not checked`);

  const elements = (evaluation: Evaluation): readonly unknown[] => elementsOf(list(evaluation), name, claim);
  const bind = (evaluation: Evaluation, element: unknown): void => {
    spend(evaluation, cost);
    evaluation.locals[slot] = element;
  };
  const test = (evaluation: Evaluation, element: unknown): boolean => {
    bind(evaluation, element);
    const value = first(evaluation);
    if (typeof value !== 'boolean') throw notBool(name, value);
    return value;
  };

  /** The deciding value of one element overrides failures of the others. */
  const quantifier =
    (deciding: boolean): Evaluate =>
    (evaluation) => {
      let failure: ServiceError | undefined;
      for (const element of elements(evaluation)) {
        bind(evaluation, element);
        const value = attempt(first, evaluation);
        if (value === deciding) return deciding;
        if (value !== !deciding) failure ??= isExpressionFailure(value) ? value : notBool(name, value);
      }
      if (failure !== undefined) throw failure;
      return !deciding;
    };

  switch (name) {
    case 'exists':
      return quantifier(true);
    case 'all':
      return quantifier(false);
    case 'exists_one':
      return (evaluation) => {
        let count = 0;
        for (const element of elements(evaluation)) if (test(evaluation, element)) count += 1;
        return count === 1;
      };
    case 'filter':
      return (evaluation) => elements(evaluation).filter((element) => test(evaluation, element));
    default:
      return (evaluation) => {
        const results: unknown[] = [];
        for (const element of elements(evaluation)) {
          if (second === undefined) {
            bind(evaluation, element);
            results.push(first(evaluation));
          } else if (test(evaluation, element)) results.push(second(evaluation));
        }
        return results;
      };
  }
}
