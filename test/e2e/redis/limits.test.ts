import Fastify from 'fastify';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { LimitStore, type CountReply, registerLimits } from '../../../src/http/rate-limits.ts';
import { createMemoryCounter, type Limit, type Taken } from '../../../src/limits/memory-counter.ts';
import { createRedisCounter } from '../../../src/limits/redis-counter.ts';
import { createSharedCounter } from '../../../src/limits/shared-counter.ts';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { connectRedis, redisDown, type RedisLink } from '../../../src/redis/redis-link.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { principalOf } from '../../support/issuing.ts';
import { until } from '../../support/until.ts';
import { oneRedisServer } from '../../support/servers/one-redis-server.ts';
import { redisIsInstalled, redisReason, type RedisServer } from '../../support/servers/redis-server.ts';
import { shortestMs } from '../../support/shortest.ts';

const count = (store: LimitStore, key: string, max: number, windowMs = 60_000): Promise<CountReply> =>
  new Promise((resolve, reject) =>
    store.incr(
      key,
      (error, counted) => (counted === undefined ? reject(error ?? new Error()) : resolve(counted)),
      windowMs,
      max,
    ),
  );

/** A counter in a Redis that is available. */
const counterOf = (link: RedisLink) => {
  const take = createRedisCounter(link, 'test:');
  return async (key: string, limit: Limit): Promise<Taken> => {
    const taken = await take(key, limit);
    return taken === redisDown ? expect.fail('Redis is down') : taken;
  };
};

describe.skipIf(!redisIsInstalled)(`limits shared through Redis${redisReason}`, () => {
  let server: RedisServer;
  const links = oneRedisServer((started) => (server = started));

  /** A replica's store and link; `limitMs` is long, so that a busy machine does not look like a slow Redis. */
  const startReplica = async (limitMs = 1_000) => {
    const link = await connectRedis({
      address: parseRedisUrl(server.url),
      clock: systemClock,
      random: Math.random,
      events: { onRedisState: () => undefined, onRedisCause: () => undefined },
      limitMs,
    });
    links.push(link);
    const { take } = createSharedCounter({
      clock: systemClock,
      local: createMemoryCounter({ clock: systemClock, maxKeys: 1000, sharedCounters: 16, maxFurtherSteps: 1000 }),
      shared: { link, counter: createRedisCounter(link, 'test:limit:'), nameOf: (key) => `hashed ${key}` },
    });
    return { link, store: new LimitStore({ take }) };
  };

  it('are exact over two replicas, even for simultaneous requests', async () => {
    const replicas = [await startReplica(), await startReplica()];
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, index) => replicas[index % 2]?.store ?? expect.fail()).map((store) =>
        count(store, 'user', 60),
      ),
    );
    expect(replies.filter(({ current }) => current <= 60)).toHaveLength(60);
    expect(replies.filter(({ current }) => current === 61)).toHaveLength(40);
  });

  it('refuse a caller that Redis has refused until the window has room, without another call to Redis', async () => {
    const [other, here] = [await startReplica(), await startReplica()];
    const commands = async (): Promise<number> =>
      Number(/cmdstat_eval(?:sha)?:calls=(\d+)/.exec(String(await server.call('INFO', 'commandstats')))?.[1] ?? 0);
    await count(other.store, 'user', 1, 600);
    const refused = await count(here.store, 'user', 1, 600);
    expect(refused.current).toBe(2);
    const before = await commands();
    const again = await count(here.store, 'user', 1, 600);
    expect(again.current).toBe(2);
    expect(again.ttl).toBeLessThanOrEqual(refused.ttl);
    expect(await commands()).toBe(before);
    await new Promise((resolve) => setTimeout(resolve, again.ttl + 5));
    expect((await count(here.store, 'user', 1, 600)).current).toBe(1);
  });

  it('slide: a caller is allowed as soon as there is room, and not before', async () => {
    const { link } = await startReplica();
    const take = counterOf(link);
    const limit = { max: 2, windowMs: 400 };
    /** Whether the timing was right: on a machine that is too slow, the window has passed. */
    const isShown = async (key: string): Promise<boolean> => {
      const startedAt = performance.now();
      expect(await take(key, limit)).toMatchObject({ allowed: true, used: 1 });
      await new Promise((resolve) => setTimeout(resolve, 200));
      const secondAt = performance.now();
      const second = await take(key, limit);
      const refused = await take(key, limit);
      if (performance.now() - startedAt > 340) return false;
      expect(second).toMatchObject({ allowed: true, used: 2 });
      expect(refused).toMatchObject({ allowed: false, used: 2 });
      expect(refused.freesInMs).toBeGreaterThan(50);
      expect(refused.freesInMs).toBeLessThanOrEqual(200);
      await new Promise((resolve) => setTimeout(resolve, refused.freesInMs + 2));
      const waited = await take(key, limit);
      if (performance.now() - secondAt > 390) return false;
      expect(waited).toMatchObject({ allowed: true, used: 2 });
      return true;
    };
    let tries = 1;
    while (!(await isShown(`user-${tries}`))) expect((tries += 1)).toBeLessThan(20);
  });

  it('stay small in Redis and expire', async () => {
    const { link } = await startReplica();
    const take = counterOf(link);
    const end = performance.now() + 700;
    while (performance.now() < end) await take('user', { max: 1_000_000, windowMs: 500 });
    expect(String(await server.call('GET', 'test:user')).split(';').length).toBeLessThanOrEqual(18);
    await new Promise((resolve) => setTimeout(resolve, 520));
    expect(await server.call('EXISTS', 'test:user')).toBe(0);
  });

  it('still work after another program wrote to the key', async () => {
    const { link } = await startReplica();
    await server.call('LPUSH', 'test:user', 'foreign');
    await server.call('SET', 'test:other', 'foreign,text;12,;');
    const take = counterOf(link);
    for (const key of ['user', 'other']) expect(await take(key, { max: 2, windowMs: 1000 })).toMatchObject({ used: 1 });
    expect(link.isUp()).toBe(true);
  });

  it('are correct after the server’s clock was set back: older counts end within one window', async () => {
    const { link } = await startReplica();
    const take = counterOf(link);
    const limit = { max: 10, windowMs: 400 };
    const later = Date.now() + 3_600_000;
    await server.call('SET', 'test:user', `${later},${later},2;${later + 50},${later + 50},1;`, 'PX', '60000');
    expect(await take('user', limit)).toMatchObject({ allowed: true, used: 4 });
    // Steps in the future would stay as long as requests arrive, or include all of them.
    for (let count = 0; count < 2; count += 1) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { used } = await take('user', limit);
      if (count === 1) expect(used).toBeLessThanOrEqual(2);
    }
  });

  it('overwrite a value that is too long to be a count, without reading it', async () => {
    const { link } = await startReplica();
    const take = counterOf(link);
    await server.call('SETRANGE', 'test:user', String(64 * 2 ** 20), 'x');
    expect(await take('user', { max: 2, windowMs: 1000 })).toMatchObject({ allowed: true, used: 1 });
    expect(await take('user', { max: 2, windowMs: 1000 })).toMatchObject({ allowed: true, used: 2 });
    expect(Number(await server.call('STRLEN', 'test:user'))).toBeLessThan(100);
    await server.call('SET', 'test:full', '1,1,1;'.repeat(200));
    expect(await take('full', { max: 2, windowMs: 1000 })).toMatchObject({ used: 1 });
  });

  it('have keys that are derived from the API key, so that deployments count separately and no address or user is visible', async () => {
    const address = '198.51.100.7';
    let others = 0;
    const limitedFor = async (apiKey: string): Promise<readonly string[]> => {
      const { link } = await startReplica();
      const app = Fastify();
      const secret = new Secret(apiKey);
      const limited: string[] = [];
      const limits = await registerLimits(app, {
        address: { max: 1, windowSeconds: 60 },
        user: { max: 1, windowSeconds: 60 },
        clock: systemClock,
        onLimited: (limit) => limited.push(limit),
        redis: { link, secret: () => secret },
      });
      app.get('/address', async (request, reply) => {
        await limits.limitAddress(request, reply);
        return 'ok';
      });
      app.get('/user', async (request, reply) => {
        await limits.limitAddress(request, reply);
        await limits.limitUser(request, reply, principalOf('alice@example.com'));
        return 'ok';
      });
      await app.inject({ url: '/address', remoteAddress: address });
      others += 1;
      await app.inject({ url: '/user', remoteAddress: `203.0.113.${others}` });
      await app.close();
      return limited;
    };
    expect(await limitedFor('one-api-key')).toEqual([]);
    expect(await limitedFor('one-api-key')).toEqual(['address', 'user']);
    expect(await limitedFor('another-api-key')).toEqual([]);
    const names = (await server.call('KEYS', '*')) as string[];
    // The address and the user for both keys, and the other addresses.
    expect(names).toHaveLength(2 * 2 + others);
    for (const name of names) expect(name).toMatch(/^guest-token:1:limit:[\w-]{43}$/);
    const guesses = [address, `address ${address}`, 'alice@example.com'].flatMap((text) =>
      (['hex', 'base64url'] as const).map((encoding) => createHash('sha256').update(text).digest(encoding)),
    );
    const dump = await server.dump();
    for (const guess of [address, 'alice', ...guesses]) expect(dump).not.toContain(guess);
  });

  it('do not send requests to Redis that this replica already refuses', async () => {
    const { store } = await startReplica();
    for (let index = 0; index < 5; index += 1) await count(store, 'user', 5);
    const commandsBefore = Number(
      /total_commands_processed:(\d+)/.exec(String(await server.call('INFO', 'stats')))?.[1],
    );
    for (let index = 0; index < 500; index += 1) expect((await count(store, 'user', 5)).current).toBe(6);
    const commandsAfter = Number(
      /total_commands_processed:(\d+)/.exec(String(await server.call('INFO', 'stats')))?.[1],
    );
    expect(commandsAfter - commandsBefore).toBeLessThan(100);
  });

  it('keep the counts of this replica when Redis is killed', async () => {
    const { store, link } = await startReplica();
    for (let index = 0; index < 3; index += 1) await count(store, 'user', 5);
    await server.kill();
    const replies = [];
    for (let index = 0; index < 4; index += 1) replies.push((await count(store, 'user', 5)).current);
    expect(replies).toEqual([4, 5, 6, 6]);
    expect(link.isUp()).toBe(false);
  });

  it('answer within 50 ms while Redis hangs, and count in the process', async () => {
    const longestMs = await shortestMs(50, async () => {
      const { store, link } = await startReplica(35);
      await until(link.isUp);
      await count(store, 'user', 5);
      server.freeze();
      const startedAt = performance.now();
      expect((await count(store, 'user', 5)).current).toBe(2);
      const ms = performance.now() - startedAt;
      server.thaw();
      await server.call('FLUSHALL');
      return ms;
    });
    expect(longestMs).toBeLessThan(50);
  });

  it('keep the counts of this replica when Redis is flushed under load', async () => {
    const { store } = await startReplica();
    for (let index = 0; index < 5; index += 1) await count(store, 'user', 5);
    await server.call('FLUSHALL');
    await server.call('SCRIPT', 'FLUSH');
    expect((await count(store, 'user', 5)).current).toBe(6);
    expect((await count(store, 'another user', 5)).current).toBe(1);
  });
});
