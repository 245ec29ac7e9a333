// The state of one decision while its expressions are evaluated: claims, variables already computed, fuel. Fuel bounds
// the time: every element visited and every character or element produced is paid for, and it does not come back.
import type { Claims } from '../../authn/principal.ts';
import type { Trace } from './trace.ts';

/** Units of work that all expressions of one decision may spend together; a few milliseconds at worst. */
export const fuelPerDecision = 50_000;

export interface Evaluation {
  readonly claims: Claims;
  readonly trace: Trace | undefined;
  fuel: number;
  /** By the variable's index; undefined until first used, an ExpressionFailure if it failed. */
  readonly variables: unknown[];
  /** Values of macro-bound names, by nesting depth. */
  readonly locals: unknown[];
}

/** An expression gave no value. `what` names types and claims, never values. */
export class ExpressionFailure extends Error {
  override readonly name = 'ExpressionFailure';
  readonly problem: string;
  /** Dotted path of the claim to blame, as far as the file tells it. */
  readonly claim: string | undefined;
  /** Fuel is gone: `||`, `&&`, `exists` and `all` must not go on as if this were an ordinary error. */
  readonly final: boolean;

  constructor(problem: string, claim?: string, final = false) {
    super(problem);
    this.problem = problem;
    this.claim = claim;
    this.final = final;
  }
}

export const createEvaluation = (claims: Claims, variableCount: number, trace?: Trace): Evaluation => ({
  claims,
  trace,
  fuel: fuelPerDecision,
  variables: new Array<unknown>(variableCount),
  locals: [],
});

/** Pays for work. Throws a final ExpressionFailure when nothing is left, or when the price cannot be one. */
export function spend(evaluation: Evaluation, units: number): void {
  evaluation.fuel = units >= 0 ? evaluation.fuel - units : -1;
  if (evaluation.fuel < 0)
    throw new ExpressionFailure('the expressions of this decision take too much work', undefined, true);
}

/** A variable's value or failure, computed when it is first used. */
export const oncePerDecision =
  (index: number, evaluate: (evaluation: Evaluation) => unknown) =>
  (evaluation: Evaluation): unknown => {
    const known = evaluation.variables[index];
    if (known instanceof ExpressionFailure) throw known;
    if (known !== undefined) return known;
    try {
      return (evaluation.variables[index] = evaluate(evaluation));
    } catch (error) {
      evaluation.variables[index] = error;
      throw error;
    }
  };
