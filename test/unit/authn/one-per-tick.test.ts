// Turns: one in each round of the event loop, in order, none lost.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createOnePerTick } from '../../../src/authn/one-per-tick.ts';

/** Asks that many times at once and tells who had a turn by the end of each round of the event loop. */
async function rounds(callers: number, turn = createOnePerTick()): Promise<string[]> {
  let had = '';
  const seen: string[] = [];
  for (let caller = 0; caller < callers; caller += 1) void turn().then(() => (had += String(caller)));
  for (let round = 0; round < callers + 1; round += 1) {
    await setImmediate();
    seen.push(had);
  }
  return seen;
}

describe('turns', () => {
  it('are had at once by whoever comes when nobody waits', async () => {
    const turn = createOnePerTick();
    let had = false;
    void turn().then(() => (had = true));
    await Promise.resolve();
    expect(had).toBe(true);
  });

  it('are one in each round of the event loop, in the order of asking', async () => {
    const seen = await rounds(4);
    expect(seen.at(-1)).toBe('0123');
    for (const [round, had] of seen.slice(0, -1).entries()) {
      expect(had.length).toBeGreaterThanOrEqual(Math.min(round + 1, 4));
      expect(had.length).toBeLessThanOrEqual(Math.min(round + 2, 4));
    }
  });

  it('let a timer that is due come between', async () => {
    const turn = createOnePerTick();
    let had = 0;
    for (let caller = 0; caller < 100; caller += 1) {
      void turn().then(() => {
        had += 1;
        const until = performance.now() + 1;
        while (performance.now() < until);
      });
    }
    const hadWhenDue = await new Promise<number>((resolve) => setTimeout(() => resolve(had), 5));
    expect(hadWhenDue).toBeLessThan(50);
  });

  it('are had at once again after a rush is over', async () => {
    const turn = createOnePerTick();
    await rounds(5, turn);
    expect((await rounds(1, turn))[0]).toBe('0');
  });

  it('come to those too who ask while others wait', async () => {
    const turn = createOnePerTick();
    const order: string[] = [];
    const first = turn().then(() => void order.push('first'));
    const second = turn().then(() => void order.push('second'));
    await first;
    const third = turn().then(() => void order.push('third'));
    await Promise.all([second, third]);
    expect(order).toEqual(['first', 'second', 'third']);
  });
});
