// The state of one decision: claims, computed variables, fuel. Fuel bounds the time: every visited element and every
// character or element produced costs some of it.
import { ServiceError } from '../../errors.ts';
import type { Claims } from '../../authn/principal.ts';
import type { DecisionTrace } from './decision-trace.ts';

/** The fuel of all expressions of one decision together; at most a few milliseconds. */
export const fuelPerDecision = 50_000;

/** Why a value is unusable. */
export type Flaw = 'number' | 'text' | 'depth';

export interface Evaluation {
  readonly claims: Claims;
  readonly trace: DecisionTrace | undefined;
  fuel: number;
  /** By the variable's index; undefined until first used, the failure if it failed. */
  readonly variables: unknown[];
  /** Values of names that macros bind, by the macro's slot in the policy. */
  readonly locals: unknown[];
  /** Lists and maps that were checked already, with what is wrong with them. They are frozen, or never change. */
  readonly flaws: Map<object, Flaw | undefined>;
}

/** A compiled expression, or a part of one. */
export type Evaluate = (evaluation: Evaluation) => unknown;

/**
 * The failure of an expression, to be thrown. `problem` names types and claims, never values; `claim` is the dotted
 * path of the responsible claim, if known.
 */
export const expressionFailure = (problem: string, claim?: string): ServiceError =>
  new ServiceError('ACCESS_DENIED', 'expression_failed', { problem, claim });

export const isExpressionFailure = (error: unknown): error is ServiceError =>
  error instanceof ServiceError && error.reason === 'expression_failed';

export const createEvaluation = (claims: Claims, variableCount: number, trace?: DecisionTrace): Evaluation => ({
  claims,
  trace,
  fuel: fuelPerDecision,
  variables: new Array<unknown>(variableCount),
  locals: [],
  flaws: new Map(),
});

/**
 * Uses fuel. Throws if there is not enough. Then `fuel` is negative, and nothing may override the failure. Units that
 * are NaN or negative would disable the limit for the rest of the decision, so they use up all fuel.
 */
export function spend(evaluation: Evaluation, units: number): void {
  evaluation.fuel = units >= 0 ? evaluation.fuel - units : -1;
  if (evaluation.fuel < 0) throw expressionFailure('the expressions of this decision take too long');
}

/** A variable's value or failure, computed on first use. */
export const oncePerDecision =
  (index: number, evaluate: Evaluate): Evaluate =>
  (evaluation) => {
    const known = evaluation.variables[index];
    if (isExpressionFailure(known)) throw known;
    if (known !== undefined) return known;
    try {
      return (evaluation.variables[index] = evaluate(evaluation));
    } catch (error) {
      evaluation.variables[index] = error;
      throw error;
    }
  };
