import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRetryBudget } from '../../../src/databrain/retry.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const settings = { share: 0.2, reserve: 10, quietMs: 10_000 };

describe('The retry budget', () => {
  it('starts with its reserve', () => {
    const budget = createRetryBudget({ ...settings, clock: createManualClock() });
    expect(Array.from({ length: 12 }, () => budget.withdraw()).filter(Boolean)).toHaveLength(10);
  });

  it('earns one retry for every five calls', () => {
    const budget = createRetryBudget({ ...settings, reserve: 1, clock: createManualClock() });
    expect(budget.withdraw()).toBe(true);
    for (let i = 0; i < 5; i += 1) {
      expect(budget.withdraw()).toBe(false);
      budget.deposit();
    }
    expect(budget.withdraw()).toBe(true);
    expect(budget.withdraw()).toBe(false);
  });

  it('never exceeds its reserve', () => {
    const budget = createRetryBudget({ ...settings, reserve: 2, clock: createManualClock() });
    for (let i = 0; i < 1000; i += 1) budget.deposit();
    expect([budget.withdraw(), budget.withdraw(), budget.withdraw()]).toEqual([true, true, false]);
  });

  it('allows one retry after a quiet period, so that a service with few users can retry', () => {
    const clock = createManualClock();
    const budget = createRetryBudget({ ...settings, reserve: 0, clock });
    expect(budget.withdraw()).toBe(false);
    clock.advance(10_000);
    expect([budget.withdraw(), budget.withdraw()]).toEqual([true, false]);
  });

  it('allows retries for at most a fifth of the calls, plus the reserve and those after quiet periods', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 400 }), retries: fc.integer({ min: 0, max: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 500 }), (steps) => {
        const clock = createManualClock();
        const begin = clock.monotonic();
        const budget = createRetryBudget({ ...settings, clock });
        let retries = 0;
        for (const { wait, retries: wanted } of steps) {
          clock.advance(wait);
          budget.deposit();
          for (let i = 0; i < wanted; i += 1) if (budget.withdraw()) retries += 1;
        }
        const quiet = (clock.monotonic() - begin) / settings.quietMs;
        expect(retries).toBeLessThanOrEqual(settings.reserve + settings.share * steps.length + quiet + 1e-9);
      }),
    );
  });
});
