import { describe, expect, it } from 'vitest';
import { createEvaluation, fuelPerDecision, spend } from '../../../../src/policy/expression/evaluation.ts';
import { celFunctions } from '../../../../src/policy/expression/cel-functions.ts';

const tooMuch = {
  reason: 'expression_failed',
  detail: { problem: 'the expressions of this decision take too long', claim: undefined },
};

describe('the fuel of a decision', () => {
  it('pays for exactly as much as there is', () => {
    const evaluation = createEvaluation({}, 0);
    spend(evaluation, fuelPerDecision - 1);
    spend(evaluation, 1);
    spend(evaluation, 0);
    expect(() => spend(evaluation, 1)).toThrow(expect.objectContaining(tooMuch));
  });

  it.each([-1, Number.NaN, Number.NEGATIVE_INFINITY, Infinity])('is gone at the price of %s', (price) => {
    const evaluation = createEvaluation({}, 0);
    expect(() => spend(evaluation, price)).toThrow(expect.objectContaining(tooMuch));
    expect(() => spend(evaluation, 0)).toThrow(expect.objectContaining(tooMuch));
  });

  it('is never more after a search, however long the texts', () => {
    const evaluation = createEvaluation({}, 0);
    const text = 'a'.repeat(50_000);
    expect(() => celFunctions.get('contains')?.call(evaluation, [text, text], undefined)).toThrow(
      expect.objectContaining(tooMuch),
    );
    expect(evaluation.fuel).toBeLessThan(0);
  });
});
