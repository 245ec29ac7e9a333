import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { connectRedis, type RedisLink } from '../../../src/redis/redis-link.ts';
import { createRedisLocks } from '../../../src/redis/redis-lock.ts';
import {
  redisIsInstalled,
  redisReason,
  startRedisServer,
  type RedisServer,
} from '../../support/servers/redis-server.ts';
import { until } from '../../support/until.ts';

/** As long as the text of an owner. */
const anotherOwner = 'A'.repeat(16);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!redisIsInstalled)(`a lock in Redis${redisReason}`, () => {
  let server: RedisServer;
  let links: RedisLink[] = [];

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(async () => {
    await server.stop();
  });
  afterEach(async () => {
    for (const link of links) link.close();
    links = [];
    await server.call('FLUSHALL');
  });

  const connect = async (): Promise<RedisLink> => {
    const link = await connectRedis({
      address: parseRedisUrl(server.url),
      clock: systemClock,
      random: Math.random,
      events: { onRedisState: () => undefined, onRedisCause: () => undefined },
      limitMs: 1_000,
    });
    links.push(link);
    return link;
  };
  const exists = async (): Promise<boolean> => (await server.call('EXISTS', 'lock')) === 1;

  it('has one holder at a time, and is free at once after its release', async () => {
    const [first, second] = [createRedisLocks(await connect()), createRedisLocks(await connect())];
    const lock = await first('lock');
    if (typeof lock === 'string') expect.unreachable();
    expect(await second('lock')).toBe('held');
    expect(await first('lock')).toBe('held');
    lock.release();
    await until(async () => !(await exists()), 500);
    const scriptCalls = async (): Promise<string | undefined> =>
      /cmdstat_eval(?:sha)?:calls=(\d+)/.exec(String(await server.call('INFO', 'commandstats')))?.[1];
    const callsAtRelease = await scriptCalls();
    await pause(700);
    expect(await scriptCalls(), 'it is renewed no more').toBe(callsAtRelease);
    expect(await second('lock')).toHaveProperty('release');
  });

  it('stays while its work is running, however long that takes', async () => {
    const [first, second] = [createRedisLocks(await connect()), createRedisLocks(await connect())];
    const lock = await first('lock');
    if (typeof lock === 'string') expect.unreachable();
    for (let count = 0; count < 12; count += 1) {
      expect(await second('lock')).toBe('held');
      await pause(200);
    }
    lock.release();
    await until(async () => !(await exists()), 500);
  });

  it('expires within one second when its holder has died', async () => {
    const link = await connect();
    await createRedisLocks(link)('lock');
    link.close();
    const endedAt = performance.now();
    const waiting = createRedisLocks(await connect());
    while ((await waiting('lock')) === 'held') await pause(20);
    expect(performance.now() - endedAt).toBeLessThan(1_200);
  });

  it('is not released or renewed by a former holder', async () => {
    const lock = await createRedisLocks(await connect())('lock');
    if (typeof lock === 'string') expect.unreachable();
    await server.call('SET', 'lock', anotherOwner, 'PX', '60000');
    await pause(800);
    expect(Number(await server.call('PTTL', 'lock'))).toBeGreaterThan(50_000);
    lock.release();
    await pause(200);
    expect(await server.call('GET', 'lock')).toBe(anotherOwner);
    await server.call('DEL', 'lock');
    await server.call('LPUSH', 'lock', 'of another type');
    expect(await createRedisLocks(await connect())('lock')).toBe('held');
  });

  it('is unavailable without Redis', async () => {
    const link = await connect();
    link.close();
    expect(await createRedisLocks(link)('lock')).toBe('unavailable');
  });
});
