import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCallRate } from '../../../src/databrain/call-rate.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const settings = { minPerSecond: 0.5, assumedPerSecond: 4, doublingMs: 8000, maxPauseMs: 5000 };

function start(overrides: Partial<typeof settings> = {}) {
  const clock = createManualClock();
  const rate = createCallRate({ ...settings, ...overrides, clock });
  const callFor = (ms: number, everyMs: number): void => {
    for (let t = 0; t < ms; t += everyMs) {
      rate.sent();
      clock.advance(everyMs);
    }
  };
  return { clock, rate, callFor };
}

describe('The call rate', () => {
  it('does not delay calls before the upstream limits them', () => {
    const { rate, callFor } = start();
    callFor(1000, 1);
    expect(rate.waitMs()).toBe(0);
    expect(rate.projectedWaitMs(1000)).toBe(0);
    expect(rate.callsPerSecond()).toBe(Infinity);
  });

  it('halves the measured rate', () => {
    const { rate, clock, callFor } = start();
    callFor(10_000, 50);
    rate.limited(clock.monotonic(), undefined);
    expect(rate.callsPerSecond()).toBeCloseTo(10, 0);
  });

  it('uses the documented limit of the vendor when fewer calls than that were made', () => {
    const { rate, clock } = start();
    rate.sent();
    rate.limited(clock.monotonic(), undefined);
    expect(rate.callsPerSecond()).toBeCloseTo(2, 5);
  });

  it('spaces calls evenly', () => {
    const { rate, clock } = start();
    rate.sent();
    rate.limited(clock.monotonic(), undefined);
    rate.sent();
    expect(rate.waitMs()).toBeCloseTo(500, 5);
    expect(rate.projectedWaitMs(3)).toBeCloseTo(2000, 5);
    clock.advance(600);
    expect(rate.waitMs()).toBe(0);
  });

  it('treats 429s for calls that were already running as one', () => {
    const { rate, clock } = start();
    const sentAt = clock.monotonic();
    clock.advance(100);
    for (let i = 0; i < 50; i += 1) rate.limited(sentAt, undefined);
    expect(rate.callsPerSecond()).toBeCloseTo(2, 5);
  });

  it('slows down further when calls at the lower rate are limited too, but never below its minimum', () => {
    const { rate, clock } = start();
    const rates: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      clock.advance(1);
      rate.limited(clock.monotonic(), undefined);
      rates.push(rate.callsPerSecond());
    }
    expect(rates[1]).toBeLessThan(rates[0] ?? 0);
    expect(rates.at(-1)).toBe(settings.minPerSecond);
  });

  it('recovers gradually, and ends in no limit', () => {
    const { rate, clock } = start();
    rate.limited(clock.monotonic(), undefined);
    const after = (ms: number): number => {
      clock.advance(ms);
      return rate.callsPerSecond();
    };
    expect(after(0)).toBeCloseTo(2, 5);
    expect(after(8000)).toBeCloseTo(4, 5);
    expect(after(8000)).toBeCloseTo(8, 5);
    expect(after(60_000)).toBe(Infinity);
    expect(rate.waitMs()).toBe(0);
  });

  it('stops all calls for Retry-After, but not for longer than its maximum', () => {
    const { rate, clock } = start();
    rate.limited(clock.monotonic(), 3000);
    expect(rate.waitMs()).toBe(3000);
    rate.limited(clock.monotonic(), 1000);
    expect(rate.waitMs()).toBe(3000);
    rate.limited(clock.monotonic(), 120_000);
    expect(rate.waitMs()).toBe(5000);
  });

  it('limits each wait, and never raises the rate after a 429, whatever the history', () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 5000 }),
      event: fc.constantFrom('sent', 'sent', 'sent', 'limited', 'stale'),
      retryAfterMs: fc.option(fc.integer({ min: 0, max: 120_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { rate, clock } = start();
        for (const { wait, event, retryAfterMs } of steps) {
          clock.advance(wait);
          const before = rate.callsPerSecond();
          if (event === 'sent') rate.sent();
          else rate.limited(event === 'limited' ? clock.monotonic() : 0, retryAfterMs);
          expect(rate.callsPerSecond()).toBeLessThanOrEqual(before);
          expect(rate.callsPerSecond()).toBeGreaterThanOrEqual(settings.minPerSecond);
          expect(rate.waitMs()).toBeLessThanOrEqual(Math.max(settings.maxPauseMs, 1000 / settings.minPerSecond));
        }
      }),
    );
  });

  it('settles near the limit of an upstream that allows four calls per second', () => {
    const { rate, clock } = start();
    let refused = 0;
    let served = 0;
    let bucket = 4;
    for (let t = 0; t < 300_000; t += 10) {
      clock.advance(10);
      bucket = Math.min(4, bucket + 0.04);
      if (rate.waitMs() > 0) continue;
      rate.sent();
      if (bucket >= 1) {
        bucket -= 1;
        served += 1;
      } else {
        refused += 1;
        rate.limited(clock.monotonic(), undefined);
      }
    }
    expect(served / 300).toBeGreaterThan(2.5);
    expect(refused / (served + refused)).toBeLessThan(0.1);
  });
});
