// The result of an expression in the form of the data files: a value with its type, or the step that refused it.
import type { Claims } from '../../src/authn/principal.ts';
import { Optional } from '../../src/policy/expression/cel-values.ts';
import { compile } from '../../src/policy/expression/compile-expression.ts';
import { createEvaluation, isExpressionFailure } from '../../src/policy/expression/evaluation.ts';
import { createExpressionReader, type Expression } from '../../src/policy/expression/read-expression.ts';
import { LoadProblem } from '../../src/problem.ts';

/** `load`: the expression is refused. `run`: evaluating it fails. */
export type CelResult = 'load' | 'run' | Readonly<Record<string, unknown>>;

const byText = ([a]: readonly unknown[], [b]: readonly unknown[]): number =>
  JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;

/** A value with its type; maps as pairs in the order of their keys. */
export function toCelResult(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'bigint') return { int: String(value) };
  // Zero has one form here: JSON and YAML do not keep its sign.
  if (typeof value === 'number') return { double: Number.isFinite(value) ? value + 0 : 'not finite' };
  if (typeof value === 'string') return { string: value };
  if (typeof value === 'boolean') return { bool: value };
  if (value === null) return { null: true };
  if (value instanceof Optional) return { optional: value.present ? toCelResult(value.value) : null };
  if (Array.isArray(value)) return { list: value.map(toCelResult) };
  const entries: readonly (readonly [unknown, unknown])[] =
    value instanceof Map ? [...(value as ReadonlyMap<unknown, unknown>)] : Object.entries(value as object);
  return { map: entries.map(([key, member]) => [toCelResult(key), toCelResult(member)]).sort(byText) };
}

const read = createExpressionReader(new Map());

/** The reason why an expression does not load; empty if it loads. */
export function celProblem(text: string): string {
  try {
    read(text);
    return '';
  } catch (error) {
    if (error instanceof LoadProblem) return error.problem;
    throw error;
  }
}

/** Evaluates an expression without variables. Throws only unexpected errors of the evaluator. */
export function celResult(text: string, claims: Claims = {}): CelResult {
  let expression: Expression;
  try {
    expression = read(text);
  } catch (error) {
    if (error instanceof LoadProblem) return 'load';
    throw error;
  }
  let slots = 0;
  const context = { variable: () => () => null, newSlot: () => slots++, onBranch: () => undefined, bound: [] };
  try {
    return toCelResult(compile(expression.ast, context)(createEvaluation(claims, 0)));
  } catch (error) {
    if (isExpressionFailure(error)) return 'run';
    throw error;
  }
}
