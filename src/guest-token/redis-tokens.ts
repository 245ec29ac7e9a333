// Reusable tokens shared through Redis, encrypted, under hashed names. What is left of a token's life is told twice,
// by Redis's countdown and by the writer's clock, and the shorter one counts: neither a clock that is off nor a write
// that Redis carried out late can make a token look younger than it is.
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { DeriveKey } from '../redis/derived-keys.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import { createRedisScript } from '../redis/redis-script.ts';
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
const lockMs = 5_000;

const read = createRedisScript(`
local value = redis.pcall('GET', KEYS[1])
if type(value) ~= 'string' then return {} end
return {value, redis.call('PTTL', KEYS[1])}
`);

const unlock = createRedisScript(`
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

export function createRedisTokens({ link, deriveKey, clock }: RedisTokensOptions): SharedTokens {
  const nameOf = (kind: 'token' | 'lock', key: ReuseKey, apiKey: Secret): string => {
    const index = createHmac('sha256', deriveKey(apiKey, 'token index 1')).update(key).digest('base64url');
    return `guest-token:1:${kind}:${index}`;
  };

  const find = async (ask: RedisLink['run'], key: ReuseKey, apiKey: Secret): Promise<SharedToken | undefined> => {
    const name = nameOf('token', key, apiKey);
    const reply = await ask((client) => read(client, name, [])).catch(() => undefined);
    const [sealed, countdownMs] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
    if (!Buffer.isBuffer(sealed) || typeof countdownMs !== 'number') return undefined;
    const stored = openToken(sealed, deriveKey(apiKey, 'token encryption 1'), name);
    if (stored === undefined) return undefined;
    const { token, lifetimeMs, endsAtMs, notAfterMs } = stored;
    const remainingMs = Math.min(countdownMs, endsAtMs - clock.now(), lifetimeMs) - marginMs;
    if (remainingMs <= 0) return undefined;
    return { token, lifetimeMs, remainingMs, notAfterMs };
  };

  return {
    isUp: link.isUp,
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

    lock: async (key, apiKey) => {
      const name = nameOf('lock', key, apiKey);
      const owner = randomBytes(12).toString('base64url');
      try {
        const answer = await link.run((client) => client.call('SET', [name, owner, 'PX', lockMs, 'NX']));
        if (answer !== 'OK') return 'held';
        return { release: () => void link.run((client) => unlock(client, name, [owner])).catch(() => undefined) };
      } catch {
        return 'unavailable';
      }
    },
  };
}
