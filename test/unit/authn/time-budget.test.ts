// Work per iteration of the event loop: as much as fits the budget, in order, none lost.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTimeBudget } from '../../../src/authn/time-budget.ts';

const allOf = (results: readonly (string | Promise<string>)[]): Promise<string[]> =>
  Promise.all(results.map(async (result) => result));

/** Work with a given duration. Only this work moves the clock. */
function createWork(budgetMs: number) {
  let now = 0;
  const done: string[] = [];
  const runWithinBudget = createTimeBudget(() => now, budgetMs);
  return {
    done,
    runWithinBudget,
    run: (name: string, ms: number): string | Promise<string> =>
      runWithinBudget(() => {
        now += ms;
        done.push(name);
        return name;
      }),
  };
}

describe('the time budget', () => {
  it('runs work at once, without a promise, while the iteration has time left', () => {
    const { run, done } = createWork(1);
    expect(run('a', 0.4)).toBe('a');
    expect(run('b', 0.4)).toBe('b');
    expect(run('c', 0.4)).toBe('c');
    expect(run('d', 0.4)).toBeInstanceOf(Promise);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('runs work in order, in each iteration as much as fits', async () => {
    const { run, done } = createWork(1);
    const results = Array.from({ length: 7 }, (_, index) => run(String(index), 0.5));
    const seen = [done.join('')];
    while (done.length < 7) {
      await setImmediate();
      seen.push(done.join(''));
    }
    expect(seen.filter((order, index) => order !== seen[index - 1])).toEqual(['01', '0123', '012345', '0123456']);
    expect(await allOf(results)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  it('runs at least one piece of work in each iteration, however long it takes', async () => {
    const { run, done } = createWork(1);
    for (const name of ['a', 'b', 'c']) void run(name, 50);
    const seen = [done.length];
    for (let round = 0; done.length < 3; round += 1) {
      await setImmediate();
      seen.push(done.length);
    }
    for (const [index, count] of seen.entries()) expect(count - (seen[index - 1] ?? count)).toBeLessThanOrEqual(1);
  });

  it('keeps the order while work waits, even if the iteration has time left', async () => {
    const { run, done } = createWork(1);
    const waiting = [run('a', 5), run('b', 0.1)];
    await setImmediate();
    await setImmediate();
    waiting.push(run('c', 0.1));
    await allOf(waiting);
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('runs work at once again after the queue is empty', async () => {
    const { run } = createWork(1);
    await allOf(Array.from({ length: 5 }, (_, index) => run(String(index), 2)));
    await setImmediate();
    expect(run('late', 0.1)).toBe('late');
  });

  it('lets a due timer run between pieces of work', async () => {
    const runWithinBudget = createTimeBudget(() => performance.now(), 1);
    let done = 0;
    for (let caller = 0; caller < 200; caller += 1) {
      void runWithinBudget(() => {
        done += 1;
        const until = performance.now() + 1;
        while (performance.now() < until);
      });
    }
    const doneBeforeTimer = await new Promise<number>((resolve) => setTimeout(() => resolve(done), 5));
    expect(doneBeforeTimer).toBeLessThan(100);
  });

  it('reports an error only to the caller whose work failed', async () => {
    const { run, runWithinBudget, done } = createWork(1);
    const fails = () => {
      throw new Error('broken');
    };
    expect(() => runWithinBudget(fails)).toThrow('broken');
    void run('long', 5);
    const failing = runWithinBudget(fails);
    const after = run('after', 0.1);
    await expect(failing).rejects.toThrow('broken');
    expect(await after).toBe('after');
    expect(done).toEqual(['long', 'after']);
  });
});
