import fc from 'fast-check';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createMemoryCounter } from '../../../src/limits/memory-counter.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const minute = 60_000;

const startCounter = (bounds: Partial<Omit<Parameters<typeof createMemoryCounter>[0], 'clock'>> = {}) => {
  const clock = createManualClock();
  return {
    clock,
    counter: createMemoryCounter({ clock, maxKeys: 1000, sharedCounters: 16, maxFurtherSteps: 1000, ...bounds }),
  };
};

describe('a limit counted in the process', () => {
  it('allows exactly max requests of a burst, and reports when the next one fits', () => {
    const { clock, counter } = startCounter();
    const limit = { max: 60, windowMs: minute };
    const burst = Array.from({ length: 70 }, () => counter.take('user', limit));
    expect(burst.filter(({ allowed }) => allowed)).toHaveLength(60);
    expect(burst.map(({ used }) => used).slice(0, 3)).toEqual([1, 2, 3]);
    expect(burst.at(-1)).toEqual({ allowed: false, used: 60, freesInMs: minute });
    clock.advance(minute - 1);
    expect(counter.take('user', limit).allowed).toBe(false);
    clock.advance(1);
    expect(counter.take('user', limit)).toEqual({ allowed: true, used: 1, freesInMs: minute });
  });

  it('reports when enough earlier requests have left the window for the next one', () => {
    const { clock, counter } = startCounter();
    const limit = { max: 4, windowMs: 1600 };
    for (const pause of [0, 0, 300, 300]) {
      clock.advance(pause);
      counter.take('user', limit);
    }
    expect(counter.peek('user', limit)).toEqual({ allowed: false, used: 4, freesInMs: 1000 });
    expect(counter.peek('user', { ...limit, max: 2 }), 'the first three have to leave').toMatchObject({
      freesInMs: 1300,
    });
    expect(counter.peek('user', { ...limit, max: 1 }), 'all four have to leave').toMatchObject({ freesInMs: 1600 });
  });

  it('does not allow a double burst at the boundary of two windows', () => {
    const { clock, counter } = startCounter();
    const limit = { max: 10, windowMs: minute };
    clock.advance(minute - 100);
    for (let count = 0; count < 10; count += 1) counter.take('user', limit);
    clock.advance(200);
    expect(counter.take('user', limit).allowed).toBe(false);
  });

  it('never allows more than max in any interval of the window, and allows a caller who waited as reported', () => {
    const steps = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 7 }), (pauses, max) => {
        const { clock, counter } = startCounter();
        const limit = { max, windowMs: 1000 };
        const allowedAt: number[] = [];
        for (const pause of pauses) {
          clock.advance(pause);
          const taken = counter.take('user', limit);
          if (taken.allowed) allowedAt.push(clock.monotonic());
          expect(taken.freesInMs).toBeGreaterThan(0);
          expect(taken.freesInMs).toBeLessThanOrEqual(limit.windowMs);
        }
        for (const start of allowedAt) {
          expect(allowedAt.filter((at) => at >= start && at < start + 1000).length).toBeLessThanOrEqual(max);
        }
        const { allowed, freesInMs } = counter.peek('user', limit);
        if (!allowed) {
          clock.advance(freesInMs);
          expect(counter.take('user', limit).allowed).toBe(true);
        }
      }),
    );
  });

  it('does not count refused requests, so that repeated attempts do not prolong the wait', () => {
    const { clock, counter } = startCounter();
    const limit = { max: 1, windowMs: 1000 };
    counter.take('user', limit);
    for (let count = 0; count < 9; count += 1) {
      clock.advance(100);
      expect(counter.take('user', limit).allowed).toBe(false);
    }
    clock.advance(100);
    expect(counter.take('user', limit).allowed).toBe(true);
  });

  it('reads without counting', () => {
    const { counter } = startCounter();
    const limit = { max: 1, windowMs: 1000 };
    for (let count = 0; count < 5; count += 1) expect(counter.peek('user', limit).allowed).toBe(true);
    counter.take('user', limit);
    expect(counter.peek('user', limit)).toMatchObject({ allowed: false, used: 1 });
  });

  it('keeps a limited key limited during a flood of other keys', () => {
    const { counter } = startCounter({ maxKeys: 100 });
    const limit = { max: 3, windowMs: minute };
    for (let count = 0; count < 3; count += 1) counter.take('attacker', limit);
    for (let count = 0; count < 10_000; count += 1) counter.take(`other ${count}`, limit);
    expect(counter.take('attacker', limit).allowed).toBe(false);
  });

  it('counts new keys together while the table is full, never too low, even when there is room again', () => {
    const { clock, counter } = startCounter({ maxKeys: 2, sharedCounters: 1 });
    const limit = { max: 3, windowMs: minute };
    counter.take('first', limit);
    counter.take('second', limit);
    clock.advance(1000);
    for (let count = 0; count < 3; count += 1) expect(counter.take('newcomer', limit).allowed).toBe(true);
    expect(counter.take('newcomer', limit).allowed).toBe(false);
    clock.advance(minute - 1000);
    expect(counter.take('newcomer', limit).allowed, 'first and second have left, newcomer has not').toBe(false);
    clock.advance(1000);
    expect(counter.take('newcomer', limit)).toMatchObject({ allowed: true, used: 1 });
  });

  it('removes keys whose requests have all left the window', () => {
    const { clock, counter } = startCounter({ maxKeys: 10, sharedCounters: 1 });
    const limit = { max: 1, windowMs: 1000 };
    for (let round = 0; round < 5; round += 1) {
      for (let key = 0; key < 10; key += 1) expect(counter.take(`${round} ${key}`, limit).allowed).toBe(true);
      clock.advance(1000);
    }
  });

  it('merges requests into the latest step to save memory, so that they count longer', () => {
    const { clock, counter } = startCounter({ maxFurtherSteps: 1 });
    const limit = { max: 3, windowMs: 1600 };
    for (let count = 0; count < 3; count += 1) {
      expect(counter.take('user', limit).allowed).toBe(true);
      clock.advance(200);
    }
    clock.advance(1000);
    expect(counter.take('user', limit)).toMatchObject({ allowed: true, used: 3 });
    clock.advance(250);
    expect(
      counter.take('user', limit).allowed,
      'the second counts for as long as the third, which it was joined by',
    ).toBe(false);
    clock.advance(150);
    expect(counter.take('user', limit)).toMatchObject({ allowed: true, used: 2 });
  });

  it.each(['the same key', 'another key'])('adds steps again after earlier ones have left, for %s', (later) => {
    const { clock, counter } = startCounter({ maxFurtherSteps: 2 });
    const limit = { max: 3, windowMs: 1600 };
    for (const key of ['the same key', later]) {
      clock.advance(1600);
      for (const pause of [0, 200, 200]) {
        clock.advance(pause);
        expect(counter.take(key, limit).allowed).toBe(true);
      }
    }
    expect(counter.peek(later, limit), 'the first alone leaves first').toMatchObject({ used: 3, freesInMs: 1200 });
    clock.advance(1200);
    expect(counter.peek(later, limit)).toMatchObject({ used: 2 });
  });

  it('uses at most 500 bytes for a key, with the longest names and all possible steps', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const keys = 20_000;
    const { clock, counter } = startCounter({ maxKeys: keys, sharedCounters: 3_000, maxFurtherSteps: keys });
    const limit = { max: 1_000_000, windowMs: minute };
    const before = used();
    for (let round = 0; round < 15; round += 1) {
      for (let key = 0; key < keys; key += 1) counter.take(String(key).padStart(128, 'x'), limit);
      clock.advance(3_900);
    }
    for (let key = keys; key < 2 * keys; key += 1) counter.take(String(key).padStart(128, 'x'), limit);
    expect((used() - before) / keys).toBeLessThan(500);
    expect(counter.peek('x'.repeat(128), limit).used).toBeGreaterThanOrEqual(0);
  });

  it('does not become slower with the number of keys', () => {
    const fastest = (keys: number): number => {
      const { counter } = startCounter({ maxKeys: 100_000 });
      const limit = { max: 1_000_000, windowMs: minute };
      const names = Array.from({ length: keys }, (_, index) => `user ${index}`);
      const rounds = Array.from({ length: 5 }, () => {
        const startedAt = performance.now();
        for (let index = 0; index < 40_000; index += 1) counter.take(names[index % keys] ?? '', limit);
        return performance.now() - startedAt;
      });
      return Math.min(...rounds);
    };
    expect(fastest(40_000) / fastest(400)).toBeLessThan(12);
  });
});
