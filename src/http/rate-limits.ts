// The two rate limits, called explicitly: per address before authentication, per user after it. @fastify/rate-limit
// decides, with counters of limits/. A refusal is a ServiceError; every counted response has the RateLimit headers.
import rateLimit, { type CreateRateLimitOptions } from '@fastify/rate-limit';
import { createHmac, hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { toAddressKeys, toShortAddress } from '../limits/address-key.ts';
import type { Limit } from '../limits/limit.ts';
import { LimitStore, type LimiterOptions } from '../limits/limit-store.ts';
import { createMemoryCounter } from '../limits/memory-counter.ts';
import { toLimitItem, toPolicyItem, type LimitState } from '../limits/rate-limit-headers.ts';
import { createRedisCounter } from '../limits/redis-counter.ts';
import { createSharedCounter } from '../limits/shared-counter.ts';
import { createKeyDerivation } from '../redis/derived-keys.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { Secret } from '../secrets/secret.ts';

interface WindowLimit {
  readonly max: number;
  readonly windowSeconds: number;
}

interface LimitsOptions {
  readonly address: WindowLimit;
  readonly user: WindowLimit;
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
const addressesPerSite = 16;

/**
 * Memory of one limit under the widest flood, measured: 36 MB of IPv6 addresses, 47 MB of users with the longest names.
 */
const counterBounds = { maxKeys: 100_000, sharedCounters: 16_384, maxFurtherSteps: 100_000 };
const longestKey = 128;

/** Versioned with the stored value, so that replicas of different versions count separately. */
const redisPrefix = 'guest-token:1:limit:';

const appendItem = (reply: FastifyReply, field: string, item: string): void => {
  const before = reply.getHeader(field);
  reply.header(field, typeof before === 'string' ? `${before}, ${item}` : item);
};

const describe = (reply: FastifyReply, state: LimitState): void => {
  appendItem(reply, 'ratelimit-policy', toPolicyItem(state));
  appendItem(reply, 'ratelimit', toLimitItem(state));
};

const toLimit = ({ max, windowSeconds }: WindowLimit): Limit => ({ max, windowMs: windowSeconds * 1000 });

/** Stored keys are short, whatever the length of the caller's name. */
const bounded = (key: string): string => (key.length <= longestKey ? key : hash('sha256', key, 'base64url'));

/** Registers the plugin without limiting any route, and returns the limiters. */
export async function registerLimits(app: FastifyInstance, options: LimitsOptions): Promise<Limits> {
  const { redis, clock } = options;
  const deriveKey = createKeyDerivation();
  const principals = new WeakMap<FastifyRequest, Principal>();
  await app.register(rateLimit, { global: false, store: LimitStore });

  const create = (
    name: 'address' | 'user',
    { max, windowSeconds }: WindowLimit,
    keyOf: (request: FastifyRequest) => string,
  ) => {
    const local = createMemoryCounter({ clock, ...counterBounds });
    // Keys that leave the process are hashed with a secret.
    const nameOf = (key: string): string =>
      redis === undefined
        ? key
        : createHmac('sha256', deriveKey(redis.secret(), 'limit index 1')).update(`${name} ${key}`).digest('base64url');
    const { take, look } = createSharedCounter({
      local,
      clock,
      shared: redis && { link: redis.link, counter: createRedisCounter(redis.link, redisPrefix), nameOf },
    });
    const limit = toLimit({ max, windowSeconds });
    const keyGenerator = (request: FastifyRequest): string => bounded(keyOf(request));
    const limiter: CreateRateLimitOptions & LimiterOptions = { max, timeWindow: limit.windowMs, keyGenerator, take };
    const count = app.createRateLimit(limiter);
    return {
      local,
      count,
      mayPass: (request: FastifyRequest): boolean => look(keyGenerator(request), limit).allowed,
      conclude: async (counting: ReturnType<typeof count>, request: FastifyRequest, reply: FastifyReply) => {
        const counted = await counting;
        // The plugin's result for allow-listed callers; there is no allow list.
        if (counted.isAllowed) return;
        const resetSeconds = Math.max(1, counted.ttlInSeconds);
        describe(reply, { name, max, windowSeconds, remaining: counted.remaining, resetSeconds });
        if (counted.isExceeded) refuse(name, resetSeconds, request);
      },
    };
  };

  function refuse(name: 'address' | 'user', retryAfterSeconds: number, request: FastifyRequest): never {
    options.onLimited(name);
    const address = name === 'address' ? toShortAddress(toAddressKeys(request.ip)) : undefined;
    throw new ServiceError('RATE_LIMITED', `${name}_limit`, {
      retryAfterSeconds,
      address,
    });
  }

  const address = create('address', options.address, (request) => toAddressKeys(request.ip).key);
  const sites = createMemoryCounter({ clock, ...counterBounds });
  const siteLimit = toLimit({ ...options.address, max: options.address.max * addressesPerSite });
  const user = create('user', options.user, (request) => {
    const principal = principals.get(request);
    if (principal === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
    return JSON.stringify([principal.iss, principal.sub]);
  });

  const early = new WeakMap<FastifyRequest, { principal: Principal; counting: ReturnType<typeof user.count> }>();

  const countUser = (request: FastifyRequest, principal: Principal): ReturnType<typeof user.count> => {
    principals.set(request, principal);
    return user.count(request);
  };

  return {
    limitAddress: async (request, reply, expected) => {
      const mayPass = expected !== undefined && address.mayPass(request);
      const countingAddress = address.count(request);
      if (mayPass) {
        const counting = countUser(request, expected);
        counting.catch(() => undefined);
        early.set(request, { principal: expected, counting });
      }
      await address.conclude(countingAddress, request, reply);
      const { site } = toAddressKeys(request.ip);
      if (site === undefined) return;
      const { allowed, freesInMs } = sites.take(site, siteLimit);
      if (!allowed) refuse('address', Math.max(1, Math.ceil(freesInMs / 1000)), request);
    },
    countProtocolError: (key) => address.local.take(key, toLimit(options.address)).allowed,
    limitUser: async (request, reply, principal) => {
      const counted = early.get(request);
      const counting = counted?.principal === principal ? counted.counting : countUser(request, principal);
      await user.conclude(counting, request, reply);
    },
  };
}
