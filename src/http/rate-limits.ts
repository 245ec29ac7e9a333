// The two rate limits as steps that the request's path takes by hand: per address before anybody is authenticated,
// per user after. Counting and deciding is @fastify/rate-limit's, in a store of ours (limits/); a refusal is an error
// like any other, and every counted answer carries the RateLimit fields.
import rateLimit from '@fastify/rate-limit';
import { createHmac, hash, randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { toAddressKey } from '../limits/address-key.ts';
import { createLimitStoreClass } from '../limits/limit-store.ts';
import { toLimitItem, toPolicyItem, type LimitState } from '../limits/rate-limit-headers.ts';
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
  /** Shares the counts between replicas; `secret` (the API key) gives the key under which addresses and users are hashed. */
  readonly redis?: { readonly link: RedisLink; readonly secret: () => Secret };
  /** Told of every refused request. */
  readonly onLimited: (limit: 'address' | 'user') => void;
}

export interface Limits {
  /**
   * Counts the request for its client address (`request.ip`: the peer, or what named proxies say). The first hook of
   * every public request, unknown paths included. Health probes are not counted: they cost nothing, and a limited
   * probe would take a loaded replica out of service. Throws RATE_LIMITED.
   */
  readonly limitAddress: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** Counts the request for its issuer and subject, once these are verified. Throws RATE_LIMITED. */
  readonly limitUser: (request: FastifyRequest, reply: FastifyReply, principal: Principal) => Promise<void>;
}

const probes: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz', '/healthz']);

const appendItem = (reply: FastifyReply, field: string, item: string): void => {
  const before = reply.getHeader(field);
  reply.header(field, typeof before === 'string' ? `${before}, ${item}` : item);
};

const describe = (reply: FastifyReply, state: LimitState): void => {
  appendItem(reply, 'ratelimit-policy', toPolicyItem(state));
  appendItem(reply, 'ratelimit', toLimitItem(state));
};

/** Registers the plugin, without limiting any route by itself, and gives the two limiters. */
export async function registerLimits(app: FastifyInstance, options: LimitsOptions): Promise<Limits> {
  const { redis } = options;
  const deriveKey = createKeyDerivation();
  const salt = randomBytes(32).toString('base64url');
  const principals = new WeakMap<FastifyRequest, Principal>();
  // What leaves the process is keyed; what stays only needs one length, whatever the caller's name is.
  const hashed = (text: string): string =>
    redis === undefined
      ? hash('sha256', salt + text, 'base64url')
      : createHmac('sha256', deriveKey(redis.secret(), 'limit index 1')).update(text).digest('base64url');

  const Store = createLimitStoreClass({
    clock: options.clock,
    ...(redis === undefined ? {} : { redis: redis.link }),
  });
  await app.register(rateLimit, { global: false, store: Store });

  const create = (
    name: 'address' | 'user',
    { max, windowSeconds }: WindowLimit,
    keyOf: (request: FastifyRequest) => string,
  ) => {
    const count = app.createRateLimit({
      max,
      timeWindow: windowSeconds * 1000,
      keyGenerator: (request) => hashed(keyOf(request)),
    });
    return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const counted = await count(request);
      // The plugin's word for "on the allow list", which there is none of.
      if (counted.isAllowed) return;
      const resetSeconds = Math.max(1, counted.ttlInSeconds);
      describe(reply, { name, max, windowSeconds, remaining: counted.remaining, resetSeconds });
      if (!counted.isExceeded) return;
      options.onLimited(name);
      throw new ServiceError('RATE_LIMITED', `${name}_limit`, { retryAfterSeconds: resetSeconds });
    };
  };

  const limitAddress = create('address', options.address, (request) => `address ${toAddressKey(request.ip)}`);
  const limitUser = create('user', options.user, (request) => {
    const principal = principals.get(request);
    if (principal === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
    return JSON.stringify(['user', principal.iss, principal.sub]);
  });

  return {
    limitAddress: async (request, reply) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (isRead && probes.has(request.routeOptions.url)) return;
      await limitAddress(request, reply);
    },
    limitUser: async (request, reply, principal) => {
      principals.set(request, principal);
      await limitUser(request, reply);
    },
  };
}
