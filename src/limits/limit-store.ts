// The store that @fastify/rate-limit counts in. Its own in-memory store hands out the live counter, so that requests
// of one tick all see the last count, and forgets keys under a flood of others; this one does neither.
import type { Clock } from '../clock.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import { createMemoryCounter } from './memory-counter.ts';
import { createRedisCounter } from './redis-counter.ts';
import { createSharedCounter, type TakeLimit } from './shared-counter.ts';

interface LimitStoreOptions {
  readonly clock: Clock;
  readonly redis?: RedisLink;
}

/** What a store tells the plugin: more than `max` means refused, `ttl` is in milliseconds. */
export interface CountReply {
  readonly current: number;
  readonly ttl: number;
}

export interface LimitStore {
  incr(key: string, reply: (error: Error | null, counted?: CountReply) => void, windowMs: number, max: number): void;
  child(options: object): LimitStore;
}

/** About 300 bytes each at most: 30 MB for a limit under the widest flood. */
const maxKeys = 100_000;
const sharedCounters = 16_384;
/** Versioned with the script's value: replicas of another version count apart instead of misreading. */
const redisPrefix = 'guest-token:1:limit:';

/** A store class as the plugin wants it: `child` gives every limiter counters of its own. */
export function createLimitStoreClass({ clock, redis }: LimitStoreOptions): new () => LimitStore {
  return class OwnLimitStore implements LimitStore {
    readonly #take: TakeLimit = createSharedCounter({
      local: createMemoryCounter({ clock, maxKeys, sharedCounters }),
      ...(redis === undefined ? {} : { shared: { link: redis, counter: createRedisCounter(redis, redisPrefix) } }),
    });

    incr(key: string, reply: (error: Error | null, counted?: CountReply) => void, windowMs: number, max: number): void {
      this.#take(key, { max, windowMs }).then(
        ({ allowed, used, freesInMs }) => reply(null, { current: allowed ? used : max + 1, ttl: freesInMs }),
        (error: unknown) => reply(error instanceof Error ? error : new Error('counting failed')),
      );
    }

    child(): LimitStore {
      return new OwnLimitStore();
    }
  };
}
