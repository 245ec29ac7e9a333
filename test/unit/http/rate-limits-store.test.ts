import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { LimitStore, type CountReply } from '../../../src/http/rate-limits.ts';
import { createMemoryCounter } from '../../../src/limits/memory-counter.ts';
import type { TakeLimit } from '../../../src/limits/shared-counter.ts';

const count = (store: LimitStore, key: string, max: number): Promise<CountReply> =>
  new Promise((resolve, reject) =>
    store.incr(
      key,
      (error, counted) => (counted === undefined ? reject(error ?? new Error()) : resolve(counted)),
      60_000,
      max,
    ),
  );

const createTake = (): TakeLimit =>
  createMemoryCounter({ clock: systemClock, maxKeys: 100, sharedCounters: 4, maxFurtherSteps: 100 }).take;

describe('the store of @fastify/rate-limit', () => {
  it('returns a separate count for each request of one tick', async () => {
    const store = new LimitStore({}).child({ take: createTake() });
    const replies = await Promise.all(Array.from({ length: 70 }, () => count(store, 'key', 60)));
    expect(replies.map(({ current }) => current)).toEqual([
      ...Array.from({ length: 60 }, (_, index) => index + 1),
      ...Array.from({ length: 10 }, () => 61),
    ]);
  });

  it('keeps the counts of two limiters separate', async () => {
    const parent = new LimitStore({});
    const [first, second] = [parent.child({ take: createTake() }), parent.child({ take: createTake() })];
    await count(first, 'key', 1);
    expect(await count(second, 'key', 1)).toMatchObject({ current: 1 });
    expect(await count(first, 'key', 1)).toMatchObject({ current: 2 });
  });

  it('fails if a limiter has no counter, and does not allow all requests', async () => {
    await expect(count(new LimitStore({}).child({}), 'key', 1)).rejects.toThrow();
  });

  it('passes on a failure of the counter', async () => {
    const store = new LimitStore({ take: () => Promise.reject(new Error('broken')) });
    await expect(count(store, 'key', 1)).rejects.toThrow('broken');
  });
});
