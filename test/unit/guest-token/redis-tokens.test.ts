// What is stored in Redis and which values are accepted, with a simulated Redis and clock.
import { describe, expect, it } from 'vitest';
import { sealToken, type StoredToken } from '../../../src/guest-token/encrypted-token.ts';
import { createRedisTokens } from '../../../src/guest-token/redis-tokens.ts';
import type { ReuseKey } from '../../../src/guest-token/reusable-token.ts';
import { createKeyDerivation } from '../../../src/redis/key-derivation.ts';
import type { RedisArgument, RedisClient } from '../../../src/redis/redis-client.ts';
import { redisDown, type RedisLink } from '../../../src/redis/redis-link.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { hour } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const key = 'reuse-key' as ReuseKey;
const apiKey = new Secret('b1946ac9-2ee6-4ab1-9d5a-6f0a3f1c2d3e');
const token = '0d6c2f0e-2d7c-4c8f-9a51-7b0f6f3f1a2b';

function start() {
  const clock = createManualClock();
  const deriveKey = createKeyDerivation();
  const calls: (readonly RedisArgument[])[] = [];
  const limits: ('short' | 'long')[] = [];
  const redis: { reply: unknown; isUp: boolean } = { reply: [], isUp: true };
  const client: RedisClient = {
    isReady: () => true,
    call: async (command, args) => {
      calls.push([command, ...args]);
      return 'OK';
    },
    run: async ({ name }, redisKey, args) => {
      calls.push([name, redisKey, ...args]);
      return redis.reply;
    },
    onReady: () => undefined,
    onError: () => undefined,
    onClose: () => undefined,
    reconnect: () => undefined,
    close: () => undefined,
  };
  const within =
    (limit: 'short' | 'long'): RedisLink['run'] =>
    (call) => {
      limits.push(limit);
      return redis.reply === redisDown ? Promise.resolve(redisDown) : call(client);
    };
  let isKnown = false;
  const link: RedisLink = {
    isUp: () => redis.isUp && isKnown,
    whenKnown: async () => void (isKnown = true),
    run: within('short'),
    runAnyway: within('long'),
    close: () => undefined,
  };
  const tokens = createRedisTokens({ link, deriveKey, clock });
  /** Makes Redis return this value to the next reader. */
  const reply = async (stored: Partial<StoredToken>, countdownMs: unknown = hour): Promise<void> => {
    await tokens.get(key, apiKey);
    const name = String(calls.at(-1)?.[1]);
    const whole = { token, lifetimeMs: hour, endsAtMs: clock.now() + hour, ...stored };
    redis.reply = [sealToken(whole, deriveKey(apiKey, 'token encryption 1'), name), countdownMs];
  };
  return { clock, calls, limits, redis, tokens, reply };
}

describe('a token of another replica', () => {
  it('is returned with its remaining lifetime, minus one second for the network', async () => {
    const { tokens, reply, limits } = start();
    await reply({ notAfterMs: 7 });
    expect(await tokens.get(key, apiKey)).toEqual({
      token,
      lifetimeMs: hour,
      remainingMs: hour - 1_000,
      notAfterMs: 7,
    });
    expect(await tokens.getAnyway(key, apiKey)).toBeDefined();
    expect(limits).toEqual(['short', 'short', 'long']);
  });

  it.each<readonly [string, Partial<StoredToken>, number]>([
    ['by the countdown of Redis', {}, 10_000],
    ['by the clock of the replica that wrote it', { endsAtMs: createManualClock().now() + 10_000 }, hour],
    ['by its lifetime', { lifetimeMs: 10_000 }, hour],
  ])('has the shortest remaining time, here %s', async (_title, stored, countdownMs) => {
    const { tokens, reply } = start();
    await reply(stored, countdownMs);
    expect(await tokens.get(key, apiKey)).toMatchObject({ remainingMs: 9_000 });
  });

  it('is ignored with a second or less left', async () => {
    const { tokens, reply } = start();
    await reply({}, 1_001);
    expect(await tokens.get(key, apiKey)).toMatchObject({ remainingMs: 1 });
    await reply({}, 1_000);
    expect(await tokens.get(key, apiKey)).toBeUndefined();
  });

  it.each([[[]], [null], ['text'], [['text', 5]], [[Buffer.from('foreign'), 5]], [redisDown], [42]])(
    'is ignored when Redis replies %s',
    async (reply) => {
      const { tokens, redis } = start();
      redis.reply = reply;
      expect(await tokens.get(key, apiKey)).toBeUndefined();
    },
  );

  it('is ignored without an expiry in Redis', async () => {
    const { tokens, reply } = start();
    await reply({}, '5000');
    expect(await tokens.get(key, apiKey)).toBeUndefined();
  });

  it('is ignored under another API key', async () => {
    const { tokens, reply } = start();
    await reply({});
    expect(await tokens.get(key, new Secret('another'))).toBeUndefined();
  });

  it('is read only up to 1,024 bytes, under a name that contains neither user nor key', async () => {
    const { tokens, calls } = start();
    await tokens.get(key, apiKey);
    await tokens.get('other' as ReuseKey, apiKey);
    await tokens.get(key, new Secret('another'));
    for (const call of calls) {
      expect(call).toEqual(['guestTokenRead', expect.stringMatching(/^guest-token:1:token:[\w-]{43}$/), 1_024]);
    }
    expect(new Set(calls.map(([, name]) => name)).size).toBe(3);
  });
});

describe('a token for other replicas', () => {
  const stored = { token, lifetimeMs: hour, remainingMs: 5_000.9 };

  it('is stored encrypted for its remaining lifetime, and can be read again', async () => {
    const { tokens, calls, limits, redis } = start();
    await tokens.put(key, apiKey, stored);
    const [command, name, value, option, keepMs] = calls[0] ?? [];
    expect([command, option, keepMs]).toEqual(['SET', 'PX', 5_000]);
    expect(limits).toEqual(['long']);
    expect(String(value)).not.toContain('0d6c2f0e');
    redis.reply = [value, 5_000];
    expect(await tokens.get(key, apiKey)).toEqual({ token, lifetimeMs: hour, remainingMs: 4_000 });
    expect(calls.at(-1)?.[1]).toBe(name);
  });

  it('is not stored with a second left', async () => {
    const { tokens, calls } = start();
    await tokens.put(key, apiKey, { ...stored, remainingMs: 1_000.9 });
    expect(calls).toEqual([]);
    await tokens.put(key, apiKey, { ...stored, remainingMs: 1_001 });
    expect(calls).toHaveLength(1);
  });
});

describe('the store', () => {
  it('is up once its state is known', async () => {
    const { tokens, redis } = start();
    expect(await tokens.isUp()).toBe(true);
    redis.isUp = false;
    expect(await tokens.isUp()).toBe(false);
  });

  it('keeps locks separate from tokens', async () => {
    const { tokens, calls } = start();
    const lock = await tokens.lock(key, apiKey);
    expect(calls[0]?.slice(0, 2)).toEqual(['SET', expect.stringMatching(/^guest-token:1:lock:[\w-]{43}$/)]);
    if (typeof lock === 'object') lock.release();
  });
});
