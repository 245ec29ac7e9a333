import { describe, expect, it } from 'vitest';
import { createSingleFlight } from '../../src/single-flight.ts';

describe('single flight', () => {
  it('does the work of one key once for all callers that wait, and again for later ones', async () => {
    const flights = createSingleFlight<number>();
    let calls = 0;
    const work = async () => (calls += 1);
    const together = [flights.join('key', work), flights.join('key', work), flights.join('key', work)];
    expect(together.map(({ joined }) => joined)).toEqual([false, true, true]);
    expect(await Promise.all(together.map(({ result }) => result))).toEqual([1, 1, 1]);
    expect(await flights.join('key', work).result).toBe(2);
    expect(flights.size()).toBe(0);
  });

  it('keeps keys separate', async () => {
    const flights = createSingleFlight<string>();
    const results = ['a', 'b'].map((key) => flights.join(key, async () => key).result);
    expect(flights.size()).toBe(2);
    expect(await Promise.all(results)).toEqual(['a', 'b']);
  });

  it('rejects all waiting callers and does not store a failure', async () => {
    const flights = createSingleFlight<string>();
    const failure = new Error('down');
    const waiting = [1, 2].map(() => flights.join('key', () => Promise.reject(failure)).result);
    expect(await Promise.allSettled(waiting)).toEqual([1, 2].map(() => ({ status: 'rejected', reason: failure })));
    expect(await flights.join('key', async () => 'up').result).toBe('up');
  });

  it('resolves when all running calls have ended, including failed ones', async () => {
    const flights = createSingleFlight<string>();
    let landed = false;
    const { result } = flights.join('key', async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      landed = true;
      throw new Error('down');
    });
    result.catch(() => undefined);
    await flights.settled();
    expect(landed).toBe(true);
  });
});
