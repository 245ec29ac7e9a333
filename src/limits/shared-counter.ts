// One limit for all replicas: counted in Redis while it is available, and always in this process too, so that an outage
// or data loss of Redis does not reset the counts of this replica.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { redisDown, type RedisLink } from '../redis/redis-link.ts';
import type { Limit, LimitCounter, Taken } from './memory-counter.ts';
import type { RedisCounter } from './redis-counter.ts';

interface SharedCounterOptions {
  readonly local: LimitCounter;
  readonly clock: Clock;
  /** Absent: every replica counts separately. */
  readonly shared?:
    | {
        readonly link: Pick<RedisLink, 'isUp'>;
        readonly counter: RedisCounter;
        /** The Redis key: a keyed hash, so that Redis holds no addresses and no users. */
        readonly nameOf: (key: string) => string;
      }
    | undefined;
}

/** Counts one request of a key. An outage of Redis is no error. */
export type TakeLimit = (key: string, limit: Limit) => Taken | Promise<Taken>;

export interface SharedCounter {
  readonly take: TakeLimit;
  /** The local result, without counting and without Redis. If it refuses, the request is refused. */
  readonly peek: (key: string, limit: Limit) => Taken;
}

/** Remembered refusals by Redis, so that further requests are refused without asking it. */
const maxRefusals = 10_000;

export function createSharedCounter({ local, clock, shared }: SharedCounterOptions): SharedCounter {
  if (shared === undefined) return local;
  const { link, counter, nameOf } = shared;
  /** Until when, in monotonic milliseconds: no request leaves the window earlier. */
  const refusals = new LRUCache<string, number>({ max: maxRefusals });

  async function takeEverywhere(key: string, limit: Limit): Promise<Taken> {
    const everywhere = await counter(nameOf(key), limit);
    if (everywhere === redisDown) return local.take(key, limit);
    if (everywhere.allowed) local.take(key, limit);
    else refusals.set(key, clock.monotonic() + everywhere.freesInMs);
    return everywhere;
  }

  const peek: SharedCounter['peek'] = (key, limit) => {
    const freesInMs = (refusals.get(key) ?? 0) - clock.monotonic();
    return freesInMs > 0 ? { allowed: false, used: limit.max, freesInMs } : local.peek(key, limit);
  };

  return {
    peek,
    take: (key, limit) => {
      if (!link.isUp()) return local.take(key, limit);
      // Refused by the local count: then Redis would refuse it too, and a flood does not reach Redis.
      const here = peek(key, limit);
      return here.allowed ? takeEverywhere(key, limit) : here;
    },
  };
}
