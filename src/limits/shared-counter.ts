// One limit over all replicas: counted in Redis while it answers, and in this process always, so that a Redis that
// stops or forgets never resets what this replica has seen itself.
import type { RedisLink } from '../redis/redis-link.ts';
import type { Limit, LimitCounter, Taken } from './limit.ts';
import type { RedisCounter } from './redis-counter.ts';

interface SharedCounterOptions {
  readonly local: LimitCounter;
  /** Absent: every replica counts for itself. */
  readonly shared?: { readonly link: RedisLink; readonly counter: RedisCounter };
}

/** Counts one request of a hashed key. Never throws for Redis's sake. */
export type TakeLimit = (key: string, limit: Limit) => Promise<Taken>;

export function createSharedCounter({ local, shared }: SharedCounterOptions): TakeLimit {
  return async (key, limit) => {
    if (shared === undefined || !shared.link.isUp()) return local.take(key, limit);
    // Refused by what this replica alone has let in: then by all of them, and a flood does not reach Redis.
    const here = local.look(key, limit);
    if (!here.allowed) return here;
    try {
      const everywhere = await shared.counter(key, limit);
      if (everywhere.allowed) local.take(key, limit);
      return everywhere;
    } catch {
      return local.take(key, limit);
    }
  };
}
