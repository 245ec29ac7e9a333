// One limit over all replicas: counted in Redis while it answers, and in this process always, so that a Redis that
// stops or forgets never resets what this replica has seen itself.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { Limit, LimitCounter, Taken } from './limit.ts';
import type { RedisCounter } from './redis-counter.ts';

interface SharedCounterOptions {
  readonly local: LimitCounter;
  readonly clock: Clock;
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

export interface SharedCounter {
  readonly take: TakeLimit;
  /** What is known here without asking anybody and without counting. Refused here is refused. */
  readonly look: (key: string, limit: Limit) => Taken;
}

/** Refusals by Redis that are remembered, so that whoever goes on asking is refused here. */
const maxRefusals = 10_000;

export function createSharedCounter({ local, clock, shared }: SharedCounterOptions): SharedCounter {
  if (shared === undefined) return local;
  const { link, counter, nameOf } = shared;
  /** Until when, in monotonic milliseconds: before that nothing leaves the window, whoever asks. */
  const refusals = new LRUCache<string, number>({ max: maxRefusals });

  async function takeEverywhere(key: string, limit: Limit): Promise<Taken> {
    try {
      const everywhere = await counter(nameOf(key), limit);
      if (everywhere.allowed) local.take(key, limit);
      else refusals.set(key, clock.monotonic() + everywhere.freesInMs);
      return everywhere;
    } catch {
      return local.take(key, limit);
    }
  }

  const look: SharedCounter['look'] = (key, limit) => {
    const freesInMs = (refusals.get(key) ?? 0) - clock.monotonic();
    return freesInMs > 0 ? { allowed: false, used: limit.max, freesInMs } : local.look(key, limit);
  };

  return {
    look,
    take: (key, limit) => {
      if (!link.isUp()) return local.take(key, limit);
      // Refused by what this replica alone has seen: then by all of them, and a flood does not reach Redis.
      const here = look(key, limit);
      return here.allowed ? takeEverywhere(key, limit) : here;
    },
  };
}
