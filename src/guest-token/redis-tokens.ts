// Shares reusable tokens through Redis, encrypted, under hashed names. The remaining lifetime is computed from the
// expiry in Redis and from the writer's clock; the shorter one counts. So neither a wrong clock nor a delayed write
// makes a token look newer than it is.
import { createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { DeriveKey } from '../redis/key-derivation.ts';
import type { RedisScript } from '../redis/redis-client.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import { createRedisLocks } from '../redis/redis-lock.ts';
import type { Secret } from '../secrets/secret.ts';
import { openToken, sealToken } from './encrypted-token.ts';
import type { ReuseKey } from './reusable-token.ts';
import type { SharedToken, SharedTokens } from './mint-across-replicas.ts';

interface RedisTokensOptions {
  readonly link: RedisLink;
  readonly deriveKey: DeriveKey;
  readonly clock: Clock;
}

/** Subtracted from the remaining lifetime for the round trip to Redis. */
const marginMs = 1_000;
/** A sealed token has about 150 bytes. A longer value is not ours and is not read. */
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

  const find = async (run: RedisLink['run'], key: ReuseKey, apiKey: Secret): Promise<SharedToken | undefined> => {
    const name = nameOf('token', key, apiKey);
    const reply = await run((client) => client.run(read, name, [maxSealedBytes]));
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
    getAnyway: (key, apiKey) => find(link.runAnyway, key, apiKey),

    put: async (key, apiKey, { token, lifetimeMs, remainingMs, notAfterMs }) => {
      const keepMs = Math.floor(remainingMs);
      if (keepMs <= marginMs) return;
      const name = nameOf('token', key, apiKey);
      const stored = { token, lifetimeMs, endsAtMs: clock.now() + keepMs, notAfterMs };
      const sealed = sealToken(stored, deriveKey(apiKey, 'token encryption 1'), name);
      // No caller waits for it, and in an outage another replica may need it.
      await link.runAnyway((client) => client.call('SET', [name, sealed, 'PX', keepMs]));
    },

    lock: (key, apiKey) => lock(nameOf('lock', key, apiKey)),
  };
}
