import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createLimitStoreClass, type CountReply, type LimitStore } from '../../../src/limits/limit-store.ts';

const count = (store: LimitStore, key: string, max: number): Promise<CountReply> =>
  new Promise((resolve, reject) =>
    store.incr(
      key,
      (error, counted) => (counted === undefined ? reject(error ?? new Error()) : resolve(counted)),
      60_000,
      max,
    ),
  );

describe('the store of @fastify/rate-limit', () => {
  it('gives every request of one tick its own count', async () => {
    const Store = createLimitStoreClass({ clock: systemClock });
    const store = new Store();
    const replies = await Promise.all(Array.from({ length: 70 }, () => count(store, 'key', 60)));
    expect(replies.map(({ current }) => current)).toEqual([
      ...Array.from({ length: 60 }, (_, index) => index + 1),
      ...Array.from({ length: 10 }, () => 61),
    ]);
  });

  it('keeps the counts of two limiters apart', async () => {
    const Store = createLimitStoreClass({ clock: systemClock });
    const parent = new Store();
    const [first, second] = [parent.child({}), parent.child({})];
    await count(first, 'key', 1);
    expect(await count(second, 'key', 1)).toMatchObject({ current: 1 });
    expect(await count(first, 'key', 1)).toMatchObject({ current: 2 });
  });
});
