// One limit for all replicas: what is counted where, also when Redis stops or loses its data.
import { describe, expect, it } from 'vitest';
import { createMemoryCounter, type Taken } from '../../../src/limits/memory-counter.ts';
import { redisDown } from '../../../src/redis/redis-link.ts';
import { createSharedCounter } from '../../../src/limits/shared-counter.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const limit = { max: 2, windowMs: 60_000 };
const allowed: Taken = { allowed: true, used: 1, freesInMs: 60_000 };
const refused: Taken = { allowed: false, used: 2, freesInMs: 5_000 };

/** `answer`: the reply of Redis, or undefined for a failure. */
function start() {
  const clock = createManualClock();
  const local = createMemoryCounter({ clock, maxKeys: 100, sharedCounters: 4, maxFurtherSteps: 100 });
  const redis: { isUp: boolean; answer: Taken | undefined; keys: string[] } = {
    isUp: true,
    answer: allowed,
    keys: [],
  };
  const counter = createSharedCounter({
    local,
    clock,
    shared: {
      link: { isUp: () => redis.isUp },
      counter: (name) => {
        redis.keys.push(name);
        return redis.answer === undefined ? Promise.resolve(redisDown) : Promise.resolve(redis.answer);
      },
      nameOf: (key) => `hash of ${key}`,
    },
  });
  return { clock, local, redis, counter };
}

describe('a limit that replicas share', () => {
  it('is counted in Redis by the key, and in this process too', async () => {
    const { counter, redis, local } = start();
    expect(await counter.take('ada', limit)).toEqual(allowed);
    expect(redis.keys).toEqual(['hash of ada']);
    expect(local.peek('ada', limit).used).toBe(1);
  });

  it('is not reset by an outage of Redis', async () => {
    const { counter, redis } = start();
    await counter.take('ada', limit);
    await counter.take('ada', limit);
    redis.isUp = false;
    expect(await counter.take('ada', limit)).toMatchObject({ allowed: false });
    expect(redis.keys).toHaveLength(2);
  });

  it('is not reset by data loss in Redis, because this replica also counts', async () => {
    const { counter, redis } = start();
    await counter.take('ada', limit);
    await counter.take('ada', limit);
    expect(await counter.take('ada', limit)).toMatchObject({ allowed: false });
    expect(redis.keys).toHaveLength(2);
  });

  it('is counted in this process while Redis fails', async () => {
    const { counter, redis } = start();
    redis.answer = undefined;
    expect(await counter.take('ada', limit)).toMatchObject({ allowed: true, used: 1 });
    expect(await counter.take('ada', limit)).toMatchObject({ allowed: true, used: 2 });
    expect(await counter.take('ada', limit)).toMatchObject({ allowed: false });
  });

  it('remembers a refusal by Redis while it is valid, and does not call Redis again', async () => {
    const { counter, redis, clock } = start();
    redis.answer = refused;
    expect(await counter.take('ada', limit)).toEqual(refused);
    clock.advance(4_999);
    expect(counter.peek('ada', limit)).toEqual({ allowed: false, used: 2, freesInMs: 1 });
    expect(await counter.take('ada', limit)).toMatchObject({ allowed: false });
    expect(redis.keys).toHaveLength(1);
    clock.advance(1);
    redis.answer = allowed;
    expect(await counter.take('ada', limit)).toEqual(allowed);
  });

  it('does not count locally what Redis refused', async () => {
    const { counter, redis, local } = start();
    redis.answer = refused;
    await counter.take('ada', limit);
    expect(local.peek('ada', limit).used).toBe(0);
  });
});
