import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCallRate } from '../../../src/databrain/call-rate.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const settings = { minPerSecond: 0.5, assumedPerSecond: 4, growth: 0.02, maxPauseMs: 5000 };

function start(overrides: Partial<typeof settings> = {}) {
  const clock = createManualClock();
  const pace = createCallRate({ ...settings, ...overrides, clock });
  const callFor = (ms: number, everyMs: number): void => {
    for (let t = 0; t < ms; t += everyMs) {
      pace.sent();
      clock.advance(everyMs);
    }
  };
  return { clock, pace, callFor };
}

describe('The pace', () => {
  it('does not slow anybody down before the upstream limits', () => {
    const { pace, callFor } = start();
    callFor(1000, 1);
    expect(pace.waitMs()).toBe(0);
    expect(pace.projectedWaitMs(1000)).toBe(0);
    expect(pace.callsPerSecond()).toBe(Infinity);
  });

  it('halves the rate that was made', () => {
    const { pace, clock, callFor } = start();
    callFor(10_000, 50);
    pace.limited(clock.monotonic(), undefined);
    expect(pace.callsPerSecond()).toBeCloseTo(10, 0);
  });

  it('assumes the vendor’s documented limit when fewer calls than that were made', () => {
    const { pace, clock } = start();
    pace.sent();
    pace.limited(clock.monotonic(), undefined);
    expect(pace.callsPerSecond()).toBeCloseTo(2, 5);
  });

  it('spaces calls evenly', () => {
    const { pace, clock } = start();
    pace.sent();
    pace.limited(clock.monotonic(), undefined);
    pace.sent();
    expect(pace.waitMs()).toBeCloseTo(500, 5);
    expect(pace.projectedWaitMs(3)).toBeCloseTo(2000, 5);
    clock.advance(600);
    expect(pace.waitMs()).toBe(0);
  });

  it('takes the answers to calls that were under way already for one and the same message', () => {
    const { pace, clock } = start();
    const sentAt = clock.monotonic();
    clock.advance(100);
    for (let i = 0; i < 50; i += 1) pace.limited(sentAt, undefined);
    expect(pace.callsPerSecond()).toBeCloseTo(2, 5);
  });

  it('slows down further when calls of the slower pace are limited too, but never below its minimum', () => {
    const { pace, clock } = start();
    const rates: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      clock.advance(1);
      pace.limited(clock.monotonic(), undefined);
      rates.push(pace.callsPerSecond());
    }
    expect(rates[1]).toBeLessThan(rates[0] ?? 0);
    expect(rates.at(-1)).toBe(settings.minPerSecond);
  });

  it('recovers gradually, lingers at the rate that was too fast, and is free again in the end', () => {
    const { pace, clock } = start();
    pace.limited(clock.monotonic(), undefined);
    const after = (ms: number): number => {
      clock.advance(ms);
      return pace.callsPerSecond();
    };
    expect(after(2000)).toBeLessThan(4);
    expect(after(2600)).toBeCloseTo(4, 1);
    expect(after(1000)).toBeLessThan(4.2);
    expect(after(25_000)).toBe(Infinity);
    expect(pace.waitMs()).toBe(0);
  });

  it('stops everybody for Retry-After, but not for longer than its bound', () => {
    const { pace, clock } = start();
    pace.limited(clock.monotonic(), 3000);
    expect(pace.waitMs()).toBe(3000);
    pace.limited(clock.monotonic(), 1000);
    expect(pace.waitMs()).toBe(3000);
    pace.limited(clock.monotonic(), 120_000);
    expect(pace.waitMs()).toBe(5000);
  });

  it('in any history makes nobody wait longer than the bound or the slowest pace, and never speeds up at a 429', () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 5000 }),
      event: fc.constantFrom('sent', 'sent', 'sent', 'limited', 'stale'),
      retryAfterMs: fc.option(fc.integer({ min: 0, max: 120_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { pace, clock } = start();
        for (const { wait, event, retryAfterMs } of steps) {
          clock.advance(wait);
          const before = pace.callsPerSecond();
          if (event === 'sent') pace.sent();
          else pace.limited(event === 'limited' ? clock.monotonic() : 0, retryAfterMs);
          expect(pace.callsPerSecond()).toBeLessThanOrEqual(before);
          expect(pace.callsPerSecond()).toBeGreaterThanOrEqual(settings.minPerSecond);
          expect(pace.waitMs()).toBeLessThanOrEqual(Math.max(settings.maxPauseMs, 1000 / settings.minPerSecond));
        }
      }),
    );
  });

  it('settles near the limit of an upstream that allows four calls per second', () => {
    const { pace, clock } = start();
    let refused = 0;
    let served = 0;
    let bucket = 4;
    for (let t = 0; t < 300_000; t += 10) {
      clock.advance(10);
      bucket = Math.min(4, bucket + 0.04);
      if (pace.waitMs() > 0) continue;
      pace.sent();
      if (bucket >= 1) {
        bucket -= 1;
        served += 1;
      } else {
        refused += 1;
        pace.limited(clock.monotonic(), undefined);
      }
    }
    expect(served / 300).toBeGreaterThan(2.5);
    expect(refused / (served + refused)).toBeLessThan(0.1);
  });
});
