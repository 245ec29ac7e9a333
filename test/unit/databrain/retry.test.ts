import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RetryBudget, retryDelay, type RetryOptions } from '../../../src/databrain/retry.ts';
import type { Fault } from '../../../src/databrain/upstream-fault.ts';

const options: RetryOptions = {
  maxRetries: 2,
  baseMs: 200,
  maxBackoffMs: 2000,
  minCallMs: 250,
  random: () => 0.5,
};
const unlimited: RetryBudget = { deposit: () => undefined, withdraw: () => true };
const retryable: readonly Fault[] = [
  'rate_limited',
  'overloaded',
  'unreachable',
  'connection_stale',
  'timed_out',
  'answer_cut_off',
  'answer_misplaced',
];
const final: readonly Fault[] = [
  'key_refused',
  'request_refused',
  'redirected',
  'unusable_answer',
  'answer_too_large',
  'answer_malformed',
  'token_repeated',
  'failed',
];

describe('A retry', () => {
  it.each(retryable)('may be made after %s', (fault) => {
    expect(retryDelay(options, unlimited, { fault }, 0, 8000)).toBe(100);
  });

  it.each(final)('is never made after %s, and then uses no budget', (fault) => {
    let withdrawn = 0;
    const budget = { deposit: () => undefined, withdraw: () => (withdrawn += 1) > 0 };
    expect(retryDelay(options, budget, { fault }, 0, 8000)).toBeUndefined();
    expect(withdrawn).toBe(0);
  });

  it('is not made after the configured number of retries', () => {
    expect(retryDelay(options, unlimited, { fault: 'overloaded' }, 1, 8000)).toBe(200);
    expect(retryDelay(options, unlimited, { fault: 'overloaded' }, 2, 8000)).toBeUndefined();
  });

  it('is not made when the budget is empty', () => {
    const budget = { deposit: () => undefined, withdraw: () => false };
    expect(retryDelay(options, budget, { fault: 'overloaded' }, 0, 8000)).toBeUndefined();
  });

  it('uses no budget if there is no time for it', () => {
    let withdrawn = 0;
    const budget = { deposit: () => undefined, withdraw: () => (withdrawn += 1) > 0 };
    expect(retryDelay(options, budget, { fault: 'overloaded', retryAfterMs: 8000 }, 0, 8000)).toBeUndefined();
    expect(withdrawn).toBe(0);
  });

  it('is never sent before Retry-After or after the deadline, and otherwise within the jitter', () => {
    fc.assert(
      fc.property(
        fc.record({
          fault: fc.constantFrom(...retryable),
          made: fc.integer({ min: 0, max: 5 }),
          remaining: fc.integer({ min: -100, max: 30_000 }),
          random: fc.double({ min: 0, max: 0.999999, noNaN: true }),
          retryAfterMs: fc.option(fc.integer({ min: 0, max: 120_000 }), { nil: undefined }),
        }),
        ({ fault, made, remaining, random, retryAfterMs }) => {
          const failure = { fault, retryAfterMs };
          const all = { ...options, maxRetries: 5, random: () => random };
          const delay = retryDelay(all, unlimited, failure, made, remaining);
          const atMost = (retryAfterMs ?? 0) + Math.min(2000, 200 * 2 ** made);
          if (delay === undefined) {
            expect(made >= 5 || atMost + 250 > remaining).toBe(true);
            return;
          }
          expect(delay).toBeGreaterThanOrEqual(retryAfterMs ?? 0);
          expect(delay).toBeLessThan(atMost);
          expect(delay + 250).toBeLessThanOrEqual(remaining);
        },
      ),
    );
  });
});
