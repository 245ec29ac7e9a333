// The state of one decision: claims, computed variables, fuel. Fuel bounds the time: every visited element and every
// character or element produced costs some of it.
import type { Claims } from '../../authn/principal.ts';
import type { Trace } from './trace.ts';

/** The fuel of all expressions of one decision together; at most a few milliseconds. */
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

/** An expression failed. `problem` names types and claims, never values. */
export class ExpressionFailure extends Error {
  override readonly name = 'ExpressionFailure';
  readonly problem: string;
  /** Dotted path of the responsible claim, if known. */
  readonly claim: string | undefined;
  /** The fuel is used up: `||`, `&&`, `exists` and `all` must not override this failure. */
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

/** Uses fuel. Throws a final ExpressionFailure if there is not enough, or if `cost` is not a valid number. */
export function spend(evaluation: Evaluation, units: number): void {
  evaluation.fuel = units >= 0 ? evaluation.fuel - units : -1;
  if (evaluation.fuel < 0)
    throw new ExpressionFailure('the expressions of this decision take too long', undefined, true);
}

/** A variable's value or failure, computed on first use. */
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
