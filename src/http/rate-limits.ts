// The two rate limits, called explicitly: per address before authentication, per user after it. @fastify/rate-limit
// decides, with counters of limits/. A refusal is a ServiceError; every counted response has the RateLimit and
// RateLimit-Policy fields of draft-ietf-httpapi-ratelimit-headers-10: structured lists (RFC 9651 §3.1) with one item
// per limit that was counted.
import rateLimit, { type CreateRateLimitOptions } from '@fastify/rate-limit';
import { createHmac, hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { RateLimit } from '../config/read-settings.ts';
import { ServiceError, toRetryAfterSeconds } from '../errors.ts';
import { createMemoryCounter, type Limit, type Taken } from '../limits/memory-counter.ts';
import { createRedisCounter } from '../limits/redis-counter.ts';
import { createSharedCounter, type TakeLimit } from '../limits/shared-counter.ts';
import { createKeyDerivation } from '../redis/key-derivation.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { Secret } from '../secrets/secret.ts';
import { toAddressKeys, toShortAddress, type AddressKeys } from './client-address.ts';
import { probePaths } from './health.ts';

interface LimitsOptions {
  readonly address: RateLimit;
  readonly user: RateLimit;
  readonly clock: Clock;
  /**
   * Shares the counts between replicas; `secret` (the API key) gives the key that addresses and users are hashed with.
   */
  readonly redis?: { readonly link: RedisLink; readonly secret: () => Secret } | undefined;
  /** Called for every refused request. */
  readonly onLimited: (limit: 'address' | 'user') => void;
}

export interface Limits {
  /**
   * Counts the request for its client address (`request.ip`: the peer, or as trusted proxies report it). Throws
   * RATE_LIMITED. `expected`: the user of the following `limitUser`, if known; then one round trip to Redis counts
   * both.
   */
  readonly limitAddress: (request: FastifyRequest, reply: FastifyReply, expected?: Principal) => Promise<void>;
  /** Counts input of a peer that was not a request, in this process only. False: the limit is reached. */
  readonly countProtocolError: (addressKey: string) => boolean;
  /** Counts the request for its verified issuer and subject. Throws RATE_LIMITED. */
  readonly limitUser: (request: FastifyRequest, reply: FastifyReply, principal: Principal) => Promise<void>;
}

/**
 * An IPv6 /48 has 65,536 networks that each count as one address. Together they may send as many requests as this
 * number of addresses. Counted in this process only.
 */
const addressesPerNetwork48 = 16;

/**
 * Memory of one limit under the widest flood, measured: 36 MB of IPv6 addresses, 47 MB of users with the longest names.
 */
const counterBounds = { maxKeys: 100_000, sharedCounters: 16_384, maxFurtherSteps: 100_000 };
const maxKeyLength = 128;

/** Versioned with the stored value, so that replicas of different versions count separately. */
const redisPrefix = 'guest-token:1:limit:';

/** What is counted for a request. */
interface Counted {
  readonly address: AddressKeys;
  user: Principal | undefined;
  /** The count of the user that was started together with the address's. */
  earlyCount: ReturnType<CountRequest> | undefined;
}

type CountRequest = ReturnType<FastifyInstance['createRateLimit']>;

declare module 'fastify' {
  interface FastifyRequest {
    counted: Counted | undefined;
  }
}

/** The result for the plugin: more than `max` means refused; `ttl` is in milliseconds. */
export interface CountReply {
  readonly current: number;
  readonly ttl: number;
}

type Reply = (error: Error | null, counted?: CountReply) => void;

/** Our own option of a limiter: the counter. The plugin passes it on. */
interface LimiterOptions {
  readonly take?: TakeLimit;
}

const toReply = ({ allowed, used, freesInMs }: Taken, max: number): CountReply => ({
  current: allowed ? used : max + 1,
  ttl: freesInMs,
});

/**
 * The store for @fastify/rate-limit. Its own in-memory store returns the live counter, so that concurrent requests all
 * see the last count, and drops keys in a flood of others. This one does neither.
 *
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

const appendItem = (reply: FastifyReply, field: string, item: string): void => {
  const before = reply.getHeader(field);
  reply.header(field, typeof before === 'string' ? `${before}, ${item}` : item);
};

const toLimit = ({ max, windowSeconds }: RateLimit): Limit => ({ max, windowMs: windowSeconds * 1000 });

/** Stored keys are short, whatever the length of the caller's name. */
const bounded = (key: string): string => (key.length <= maxKeyLength ? key : hash('sha256', key, 'base64url'));

/** Creates the key of a user's counter. Remembered with the principal, because it is needed for every request. */
function createUserKeys(): (principal: Principal) => string {
  const keys = new WeakMap<Principal, string>();
  return (principal) => {
    const known = keys.get(principal);
    if (known !== undefined) return known;
    const key = bounded(JSON.stringify([principal.iss, principal.sub]));
    keys.set(principal, key);
    return key;
  };
}

/**
 * Whether a request is a health probe. Probes are not rate limited: they are cheap, and a refused probe would take a
 * loaded replica out of service.
 */
export function createProbeCheck(basePath: string): (request: FastifyRequest) => boolean {
  const probes: ReadonlySet<string | undefined> = new Set(probePaths.map((path) => basePath + path));
  return ({ method, routeOptions }) => (method === 'GET' || method === 'HEAD') && probes.has(routeOptions.url);
}

/** Registers the plugin without limiting any route, and returns the limiters. */
export async function registerLimits(app: FastifyInstance, options: LimitsOptions): Promise<Limits> {
  const { redis, clock } = options;
  const deriveKey = createKeyDerivation();
  const userKeyOf = createUserKeys();
  await app.register(rateLimit, { global: false, store: LimitStore });
  app.decorateRequest('counted', undefined);

  const create = (name: 'address' | 'user', { max, windowSeconds }: RateLimit, keyOf: (counted: Counted) => string) => {
    const local = createMemoryCounter({ clock, ...counterBounds });
    const { take, peek } = createSharedCounter({
      local,
      clock,
      shared: redis && {
        link: redis.link,
        counter: createRedisCounter(redis.link, redisPrefix),
        // Keys that leave the process are hashed with a secret.
        nameOf: (key) =>
          createHmac('sha256', deriveKey(redis.secret(), 'limit index 1')).update(`${name} ${key}`).digest('base64url'),
      },
    });
    const limit = toLimit({ max, windowSeconds });
    const keyGenerator = ({ counted }: FastifyRequest): string => {
      if (counted === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
      return keyOf(counted);
    };
    const limiter: CreateRateLimitOptions & LimiterOptions = { max, timeWindow: limit.windowMs, keyGenerator, take };
    // `q` requests per `w` seconds.
    const policyItem = `"${name}";q=${max};w=${windowSeconds}`;
    const count: CountRequest = app.createRateLimit(limiter);
    return {
      local,
      count,
      mayPass: (counted: Counted): boolean => peek(keyOf(counted), limit).allowed,
      applyResult: (result: Awaited<ReturnType<CountRequest>>, request: FastifyRequest, reply: FastifyReply): void => {
        // The plugin's result for allow-listed callers; there is no allow list.
        if (result.isAllowed) return;
        const resetSeconds = Math.max(1, result.ttlInSeconds);
        appendItem(reply, 'ratelimit-policy', policyItem);
        // `r` remaining requests; more after `t` seconds.
        appendItem(reply, 'ratelimit', `"${name}";r=${result.remaining};t=${resetSeconds}`);
        if (result.isExceeded) refuse(name, resetSeconds, request);
      },
    };
  };

  function refuse(name: 'address' | 'user', retryAfterSeconds: number, request: FastifyRequest): never {
    options.onLimited(name);
    if (name === 'user') throw new ServiceError('RATE_LIMITED', 'user_limit', { retryAfterSeconds });
    const address = toShortAddress(toAddressKeys(request.ip));
    throw new ServiceError('RATE_LIMITED', 'address_limit', { retryAfterSeconds, address });
  }

  const address = create('address', options.address, (counted) => counted.address.key);
  const networks48 = createMemoryCounter({ clock, ...counterBounds });
  const network48Limit = toLimit({ ...options.address, max: options.address.max * addressesPerNetwork48 });
  const user = create('user', options.user, (counted) => {
    if (counted.user === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
    return userKeyOf(counted.user);
  });

  return {
    limitAddress: async (request, reply, expected) => {
      const counted: Counted = { address: toAddressKeys(request.ip), user: undefined, earlyCount: undefined };
      request.counted = counted;
      const mayPass = expected !== undefined && address.mayPass(counted);
      const countingAddress = address.count(request);
      if (mayPass) {
        counted.user = expected;
        counted.earlyCount = user.count(request);
        counted.earlyCount.catch(() => undefined);
      }
      address.applyResult(await countingAddress, request, reply);
      const { network48 } = counted.address;
      if (network48 === undefined) return;
      const { allowed, freesInMs } = networks48.take(network48, network48Limit);
      if (!allowed) refuse('address', toRetryAfterSeconds(freesInMs), request);
    },
    countProtocolError: (key) => address.local.take(key, toLimit(options.address)).allowed,
    limitUser: async (request, reply, principal) => {
      const { counted } = request;
      if (counted === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
      const early = counted.user === principal ? counted.earlyCount : undefined;
      counted.user = principal;
      user.applyResult(await (early ?? user.count(request)), request, reply);
    },
  };
}
