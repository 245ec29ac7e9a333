import { describe, expect, it } from 'vitest';
import { createEvaluation, fuelPerDecision, spend } from '../../../../src/policy/expression/evaluation.ts';
import { celFunctions } from '../../../../src/policy/expression/cel-functions.ts';
import { nameExpressionFailure } from '../../../support/sentences/name-expression-failure.ts';

describe('the fuel of a decision', () => {
  it('can be spent completely, and no further', () => {
    const evaluation = createEvaluation({}, 0);
    spend(evaluation, fuelPerDecision - 1);
    spend(evaluation, 1);
    spend(evaluation, 0);
    expect(nameExpressionFailure(() => spend(evaluation, 1))).toBe('outOfFuel');
  });

  it.each([-1, Number.NaN, Number.NEGATIVE_INFINITY, Infinity])('is used up by the price %s', (price) => {
    const evaluation = createEvaluation({}, 0);
    expect(nameExpressionFailure(() => spend(evaluation, price))).toBe('outOfFuel');
    expect(nameExpressionFailure(() => spend(evaluation, 0))).toBe('outOfFuel');
  });

  it('does not increase after a search, however long the strings', () => {
    const evaluation = createEvaluation({}, 0);
    const text = 'a'.repeat(50_000);
    expect(nameExpressionFailure(() => celFunctions.get('contains')?.call(evaluation, [text, text], undefined))).toBe(
      'outOfFuel',
    );
    expect(evaluation.fuel).toBeLessThan(0);
  });
});
