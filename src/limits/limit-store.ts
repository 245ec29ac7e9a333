// The store for @fastify/rate-limit. Its own in-memory store returns the live counter, so that concurrent requests all
// see the last count, and drops keys in a flood of others. This one does neither.
import type { Taken } from './memory-counter.ts';
import type { TakeLimit } from './shared-counter.ts';

/** The result for the plugin: more than `max` means refused; `ttl` is in milliseconds. */
export interface CountReply {
  readonly current: number;
  readonly ttl: number;
}

type Reply = (error: Error | null, counted?: CountReply) => void;

/** Our own option of a limiter: the counter. The plugin passes it on. */
export interface LimiterOptions {
  readonly take?: TakeLimit;
}

const toReply = ({ allowed, used, freesInMs }: Taken, max: number): CountReply => ({
  current: allowed ? used : max + 1,
  ttl: freesInMs,
});

/**
 * A class, because the plugin instantiates the root store. `child` creates a store with the counter of each limiter.
 */
export class LimitStore {
  readonly #take: TakeLimit | undefined;

  constructor({ take }: LimiterOptions) {
    this.#take = take;
  }

  incr(key: string, reply: Reply, windowMs: number, max: number): void {
    const taken = this.#take?.(key, { max, windowMs });
    if (taken === undefined) {
      reply(new Error('this limiter has no counter'));
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
