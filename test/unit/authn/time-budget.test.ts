// Work per iteration of the event loop: as much as fits the budget, in order, none lost.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTimeBudget } from '../../../src/authn/time-budget.ts';

const allOf = (results: readonly (string | Promise<string>)[]): Promise<string[]> =>
  Promise.all(results.map(async (result) => result));

/** Turns whose work takes the time that it says, by a clock that moves by nothing else. */
function turnsOf(budgetMs: number) {
  let now = 0;
  const done: string[] = [];
  const runWithinBudget = createTimeBudget(() => now, budgetMs);
  return {
    done,
    runWithinBudget,
    take: (name: string, ms: number): string | Promise<string> =>
      runWithinBudget(() => {
        now += ms;
        done.push(name);
        return name;
      }),
  };
}

describe('the time budget', () => {
  it('come at once, without a promise, while the round has time left', () => {
    const { take, done } = turnsOf(1);
    expect(take('a', 0.4)).toBe('a');
    expect(take('b', 0.4)).toBe('b');
    expect(take('c', 0.4)).toBe('c');
    expect(take('d', 0.4)).toBeInstanceOf(Promise);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('come in the order of asking, as many in each round as fit the budget', async () => {
    const { take, done } = turnsOf(1);
    const results = Array.from({ length: 7 }, (_, index) => take(String(index), 0.5));
    const seen = [done.join('')];
    while (done.length < 7) {
      await setImmediate();
      seen.push(done.join(''));
    }
    expect(seen.filter((order, index) => order !== seen[index - 1])).toEqual(['01', '0123', '012345', '0123456']);
    expect(await allOf(results)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  it('take at least one in each round, however long it is', async () => {
    const { take, done } = turnsOf(1);
    for (const name of ['a', 'b', 'c']) void take(name, 50);
    const seen = [done.length];
    for (let round = 0; done.length < 3; round += 1) {
      await setImmediate();
      seen.push(done.length);
    }
    for (const [index, count] of seen.entries()) expect(count - (seen[index - 1] ?? count)).toBeLessThanOrEqual(1);
  });

  it('keep the order while others wait, even if the iteration has time left', async () => {
    const { take, done } = turnsOf(1);
    const waiting = [take('a', 5), take('b', 0.1)];
    await setImmediate();
    await setImmediate();
    waiting.push(take('c', 0.1));
    await allOf(waiting);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('come at once again after a rush is over', async () => {
    const { take } = turnsOf(1);
    await allOf(Array.from({ length: 5 }, (_, index) => take(String(index), 2)));
    await setImmediate();
    expect(take('late', 0.1)).toBe('late');
  });

  it('let a timer that is due come between', async () => {
    const runWithinBudget = createTimeBudget(() => performance.now(), 1);
    let had = 0;
    for (let caller = 0; caller < 200; caller += 1) {
      void runWithinBudget(() => {
        had += 1;
        const until = performance.now() + 1;
        while (performance.now() < until);
      });
    }
    const hadWhenDue = await new Promise<number>((resolve) => setTimeout(() => resolve(had), 5));
    expect(hadWhenDue).toBeLessThan(100);
  });

  it('whose work throws fail for their caller alone', async () => {
    const { take, runWithinBudget, done } = turnsOf(1);
    const fails = () => {
      throw new Error('broken');
    };
    expect(() => runWithinBudget(fails)).toThrow('broken');
    void take('long', 5);
    const failing = runWithinBudget(fails);
    const after = take('after', 0.1);
    await expect(failing).rejects.toThrow('broken');
    expect(await after).toBe('after');
    expect(done).toEqual(['long', 'after']);
  });
});
