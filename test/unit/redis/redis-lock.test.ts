// How long a lock is renewed, with a simulated Redis and clock. Other tests use a real Redis.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RedisClient } from '../../../src/redis/redis-client.ts';
import type { RedisLink } from '../../../src/redis/redis-link.ts';
import { createRedisLocks } from '../../../src/redis/redis-lock.ts';

/** A link to a Redis that grants every lock, and a record of the scripts that it received. */
function startLink() {
  const scripts: string[] = [];
  const client: RedisClient = {
    isReady: () => true,
    call: () => Promise.resolve('OK'),
    run: ({ name }) => Promise.resolve(scripts.push(name)),
    onReady: () => undefined,
    onError: () => undefined,
    onClose: () => undefined,
    reconnect: () => undefined,
    close: () => undefined,
  };
  const link: RedisLink = {
    isUp: () => true,
    whenKnown: () => Promise.resolve(),
    run: (call) => call(client),
    runAnyway: (call) => call(client),
    close: () => undefined,
  };
  return { link, scripts };
}

describe('a lock whose work never ends', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is renewed for 15 seconds, and then expires', async () => {
    const { link, scripts } = startLink();
    await createRedisLocks(link)('lock');
    await vi.advanceTimersByTimeAsync(15_000);
    expect(scripts).toEqual(Array(60).fill('guestTokenProlong'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(scripts).toHaveLength(60);
    expect(vi.getTimerCount()).toBe(0);
  });
});
