// Reusable tokens shared through Redis, encrypted, under hashed names. The life that a token has left is measured twice,
// by the expiry in Redis and by the writer's clock, and the shorter one counts: neither a clock that is off nor a write
// that Redis carried out late makes a token look younger than it is.
import { createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { DeriveKey } from '../redis/derived-keys.ts';
import type { RedisScript } from '../redis/redis-client.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import { createRedisLocks } from '../redis/redis-lock.ts';
import type { Secret } from '../secrets/secret.ts';
import { openToken, sealToken } from './encrypted-token.ts';
import type { ReuseKey } from './reuse-key.ts';
import type { SharedToken, SharedTokens } from './shared-tokens.ts';

interface RedisTokensOptions {
  readonly link: RedisLink;
  readonly deriveKey: DeriveKey;
  readonly clock: Clock;
}

/** Taken off what is left, for what no clock sees: the way to Redis and back. */
const marginMs = 1_000;
/** A sealed token has about 150; whatever is longer was written by somebody else and is not even read. */
const maxSealedBytes = 1_024;

const read: RedisScript = {
  name: 'guestTokenRead',
  lua: `
local length = redis.pcall('STRLEN', KEYS[1])
if type(length) ~= 'number' or length == 0 or length > tonumber(ARGV[1]) then return {} end
return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
`,
};

export function createRedisTokens({ link, deriveKey, clock }: RedisTokensOptions): SharedTokens {
  const lock = createRedisLocks(link);

  const nameOf = (kind: 'token' | 'lock', key: ReuseKey, apiKey: Secret): string => {
    const index = createHmac('sha256', deriveKey(apiKey, 'token index 1')).update(key).digest('base64url');
    return `guest-token:1:${kind}:${index}`;
  };

  const find = async (ask: RedisLink['run'], key: ReuseKey, apiKey: Secret): Promise<SharedToken | undefined> => {
    const name = nameOf('token', key, apiKey);
    const reply = await ask((client) => client.run(read, name, [maxSealedBytes])).catch(() => undefined);
    const [sealed, countdownMs] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
    if (!Buffer.isBuffer(sealed) || typeof countdownMs !== 'number') return undefined;
    const stored = openToken(sealed, deriveKey(apiKey, 'token encryption 1'), name);
    if (stored === undefined) return undefined;
    const { token, lifetimeMs, endsAtMs, notAfterMs } = stored;
    const remainingMs = Math.min(countdownMs, endsAtMs - clock.now(), lifetimeMs) - marginMs;
    return remainingMs > 0 ? { token, lifetimeMs, remainingMs, notAfterMs } : undefined;
  };

  return {
    isUp: async () => {
      await link.whenKnown();
      return link.isUp();
    },
    get: (key, apiKey) => find(link.run, key, apiKey),
    getAnyway: (key, apiKey) => find(link.insist, key, apiKey),

    put: async (key, apiKey, { token, lifetimeMs, remainingMs, notAfterMs }) => {
      const keepMs = Math.floor(remainingMs);
      if (keepMs <= marginMs) return;
      const name = nameOf('token', key, apiKey);
      const stored = { token, lifetimeMs, endsAtMs: clock.now() + keepMs, notAfterMs };
      const sealed = sealToken(stored, deriveKey(apiKey, 'token encryption 1'), name);
      // Nobody waits for it, and in an outage it may be what another replica needs.
      await link.insist((client) => client.call('SET', [name, sealed, 'PX', keepMs])).catch(() => undefined);
    },

    lock: (key, apiKey) => lock(nameOf('lock', key, apiKey)),
  };
}
