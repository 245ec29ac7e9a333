// CEL's macros over lists and maps: all, exists, exists_one, map, filter. Each element pays for the whole body, so that
// nested macros over long claims run out of fuel instead of time.
import type { ASTNode } from '@marcbachmann/cel-js';
import { elementsOf, typeName } from './cel-values.ts';
import { attempt, blamed, compile, type CompileContext, type Evaluate } from './compile-expression.ts';
import { ExpressionFailure, spend, type Evaluation } from './evaluation.ts';

interface MacroCall {
  readonly name: string;
  readonly receiver: ASTNode;
  readonly bound: string;
  readonly bodies: readonly ASTNode[];
}

/** Characters of the body: an upper bound for its nodes. */
const costOf = (bodies: readonly ASTNode[]): number =>
  1 + bodies.reduce((sum, body) => sum + ((body.end - body.start) >> 2), 0);

const notBool = (name: string, value: unknown): ExpressionFailure =>
  new ExpressionFailure(`the condition of ${name}() is a ${typeName(value)}, not a bool`);

/** Compiles a macro that createExpressionReader accepted. */
export function compileMacro({ name, receiver, bound, bodies }: MacroCall, context: CompileContext): Evaluate {
  const slot = context.newSlot();
  const inner = { ...context, bound: [...context.bound, { name: bound, slot }] };
  const list = compile(receiver, context);
  const [first, second] = bodies.map((body) => compile(body, inner));
  if (first === undefined) throw new TypeError(`${name}() was not checked`);
  const claim = blamed(receiver);
  const cost = costOf(bodies);

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

  /** The deciding value of any element outweighs failures of the others. */
  const quantifier =
    (deciding: boolean): Evaluate =>
    (evaluation) => {
      let failure: ExpressionFailure | undefined;
      for (const element of elements(evaluation)) {
        bind(evaluation, element);
        const value = attempt(first, evaluation);
        if (value === deciding) return deciding;
        if (value !== !deciding) failure ??= value instanceof ExpressionFailure ? value : notBool(name, value);
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
