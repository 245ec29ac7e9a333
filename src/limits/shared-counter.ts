// One limit over all replicas: counted in Redis while it answers, and in this process always, so that a Redis that
// stops or forgets never resets what this replica has seen itself.
import type { RedisLink } from '../redis/redis-link.ts';
import type { Limit, LimitCounter, Taken } from './limit.ts';
import type { RedisCounter } from './redis-counter.ts';

interface SharedCounterOptions {
  readonly local: LimitCounter;
  /** Absent: every replica counts for itself. */
  readonly shared?: {
    readonly link: RedisLink;
    readonly counter: RedisCounter;
    /** The name under which a key is counted there: a keyed hash, so that Redis holds no addresses and no users. */
    readonly nameOf: (key: string) => string;
  };
}

/** Counts one request of a key. Never throws for Redis's sake. */
export type TakeLimit = (key: string, limit: Limit) => Taken | Promise<Taken>;

export function createSharedCounter({ local, shared }: SharedCounterOptions): TakeLimit {
  if (shared === undefined) return local.take;
  const { link, counter, nameOf } = shared;

  async function takeEverywhere(key: string, limit: Limit): Promise<Taken> {
    try {
      const everywhere = await counter(nameOf(key), limit);
      if (everywhere.allowed) local.take(key, limit);
      return everywhere;
    } catch {
      return local.take(key, limit);
    }
  }

  return (key, limit) => {
    if (!link.isUp()) return local.take(key, limit);
    // Refused by what this replica alone has let in: then by all of them, and a flood does not reach Redis.
    const here = local.look(key, limit);
    return here.allowed ? takeEverywhere(key, limit) : here;
  };
}
