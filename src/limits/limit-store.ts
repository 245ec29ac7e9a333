// The store that @fastify/rate-limit counts in. Its own in-memory store hands out the live counter, so that requests
// of one tick all see the last count, and forgets keys under a flood of others; ours does neither.
import type { Taken } from './limit.ts';
import type { TakeLimit } from './shared-counter.ts';

/** What a store tells the plugin: more than `max` means refused, `ttl` is in milliseconds. */
export interface CountReply {
  readonly current: number;
  readonly ttl: number;
}

type Reply = (error: Error | null, counted?: CountReply) => void;

/** The part of a limiter's options that is ours: how it counts. The plugin passes it on unread. */
export interface LimiterOptions {
  readonly take?: TakeLimit;
}

const toReply = ({ allowed, used, freesInMs }: Taken, max: number): CountReply => ({
  current: allowed ? used : max + 1,
  ttl: freesInMs,
});

/** A class because the plugin makes the root store itself; `child` gives every limiter a store that counts its way. */
export class LimitStore {
  readonly #take: TakeLimit | undefined;

  constructor({ take }: LimiterOptions) {
    this.#take = take;
  }

  incr(key: string, reply: Reply, windowMs: number, max: number): void {
    const taken = this.#take?.(key, { max, windowMs });
    if (taken === undefined) {
      reply(new Error('this limiter was given no way to count'));
    } else if (taken instanceof Promise) {
      taken.then(
        (counted) => reply(null, toReply(counted, max)),
        (error: unknown) => reply(error instanceof Error ? error : new Error('counting failed')),
      );
    } else {
      reply(null, toReply(taken, max));
    }
  }

  child(options: object): LimitStore {
    return new LimitStore(options);
  }
}
