import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { connectRedis, redisDown, type RedisLink } from '../../../src/redis/redis-link.ts';
import {
  redisIsInstalled,
  redisReason,
  startRedisServer,
  type RedisServer,
} from '../../support/servers/redis-server.ts';
import { shortestMs } from '../../support/shortest.ts';
import { until } from '../../support/until.ts';

describe.skipIf(!redisIsInstalled)(`the link to Redis${redisReason}`, () => {
  let server: RedisServer;
  let links: RedisLink[];
  let reported: string[];

  beforeEach(async () => {
    server = await startRedisServer();
    links = [];
    reported = [];
  });
  afterEach(async () => {
    for (const link of links) link.close();
    await server.stop();
  });

  const connect = async (url = server.url, limitMs?: number): Promise<RedisLink> => {
    const link = await connectRedis({
      address: parseRedisUrl(url),
      clock: systemClock,
      random: Math.random,
      events: {
        onRedisState: (state, cause) => reported.push(`${state}: ${cause}`),
        onRedisCause: (cause) => reported.push(`still down: ${cause}`),
      },
      limitMs,
    });
    links.push(link);
    return link;
  };
  const echo = (link: RedisLink): Promise<unknown> => link.run((client) => client.call('ECHO', ['hello']));
  const ping = async (link: RedisLink): Promise<{ reply: unknown; ms: number }> => {
    const startedAt = performance.now();
    const reply = await echo(link);
    return { reply, ms: performance.now() - startedAt };
  };

  it('is up after connecting and runs calls', async () => {
    const link = await connect();
    expect(link.isUp()).toBe(true);
    expect(await echo(link)).toBe('hello');
    expect(reported).toEqual(['up: answers']);
  });

  it('starts without Redis, logs it once, and uses Redis when it is available', async () => {
    await server.kill();
    const link = await connect();
    expect(link.isUp()).toBe(false);
    expect(await echo(link)).toBe(redisDown);
    expect(reported).toEqual(['down: ECONNREFUSED']);
    await server.restart();
    await until(link.isUp);
    expect(await echo(link)).toBe('hello');
    expect(reported.filter((line) => !line.startsWith('still down'))).toEqual(['down: ECONNREFUSED', 'up: answers']);
  });

  it('fails at once when Redis is killed, reports it once, and recovers without a restart', async () => {
    const link = await connect();
    await server.kill();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => ping(link)));
    expect(outcomes.every(({ reply }) => reply === redisDown)).toBe(true);
    expect(Math.min(...outcomes.map(({ ms }) => ms))).toBeLessThan(50);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(reported.filter((line) => line.startsWith('down'))).toHaveLength(1);
    await server.restart();
    await until(link.isUp);
    expect(reported.filter((line) => !line.startsWith('still down'))).toHaveLength(3);
  });

  it('waits once, for a limited time, when Redis hangs, and recovers when Redis continues', async () => {
    const firstMs = await shortestMs(50, async () => {
      const link = await connect();
      await until(link.isUp);
      server.freeze();
      const { reply, ms } = await ping(link);
      // It would report the next freeze too, if its ping were still running.
      link.close();
      server.thaw();
      expect(reply).toBe(redisDown);
      return ms;
    });
    expect(firstMs).toBeLessThan(50);

    const link = await connect();
    await until(link.isUp);
    reported.length = 0;
    server.freeze();
    await ping(link);
    const doubtfulAt = performance.now();
    await link.whenKnown();
    expect(link.isUp()).toBe(false);
    expect(performance.now() - doubtfulAt).toBeLessThan(1_000);
    const later = await Promise.all(Array.from({ length: 100 }, () => ping(link)));
    expect(Math.min(...later.map(({ ms }) => ms))).toBeLessThan(20);
    await until(() => reported.length > 0);
    expect(reported).toEqual(['down: no answer in time']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(link.isUp()).toBe(false);
    server.thaw();
    await until(link.isUp);
    expect(await echo(link)).toBe('hello');
  });

  it('connects again if a connection hangs and does not recover', async () => {
    const link = await connect();
    const clientIds = async (): Promise<string[]> =>
      String(await server.call('CLIENT', 'LIST'))
        .split('\n')
        .filter((line) => line.includes('name=guest-token-proxy'))
        .map((line) => line.split(' ')[0] ?? '');
    const [before] = await clientIds();
    server.freeze();
    await ping(link);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    server.thaw();
    await until(link.isUp);
    expect(await echo(link)).toBe('hello');
    expect(await clientIds()).not.toContain(before);
  });

  it('reports nothing after a single late reply', async () => {
    const link = await connect(server.url, 400);
    server.freeze();
    expect(await echo(link)).toBe(redisDown);
    expect(link.isUp(), 'until a ping is answered').toBe(false);
    server.thaw();
    await link.whenKnown();
    expect(link.isUp()).toBe(true);
    expect(await echo(link)).toBe('hello');
    expect(reported).toEqual(['up: answers']);
  });

  it('is not used after a late reply until a ping is answered', async () => {
    const link = await connect(server.url, 200);
    const names: string[] = [];
    const call = (name: string) =>
      link.run(() => {
        names.push(name);
        return new Promise(() => undefined);
      });
    expect(await call('late')).toBe(redisDown);
    expect(await call('meanwhile')).toBe(redisDown);
    expect(names).toEqual(['late']);
    await link.whenKnown();
    expect(await echo(link)).toBe('hello');
  });

  it('counts simultaneous time-outs as one, and resets the count after a reply in time', async () => {
    const link = await connect(server.url, 400);
    for (let count = 0; count < 3; count += 1) {
      server.freeze();
      const late = [echo(link), echo(link), echo(link), echo(link)];
      for (const reply of await Promise.all(late)) expect(reply).toBe(redisDown);
      server.thaw();
      await link.whenKnown();
      expect(await echo(link)).toBe('hello');
    }
    expect(reported).toEqual(['up: answers']);
  });

  it('waits longer each time for a Redis that is flapping', async () => {
    const link = await connect();
    const waits: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      const downAt = performance.now();
      await link.run(() => Promise.reject(new Error('FAULTY reply')));
      expect(link.isUp()).toBe(false);
      await until(link.isUp);
      waits.push(performance.now() - downAt);
    }
    expect(waits[2]).toBeGreaterThan(950);
  });

  it('marks Redis as down if its replies are late several times, although it answers pings', async () => {
    const link = await connect(server.url, 100);
    const late = () => link.run(() => new Promise(() => undefined));
    for (let count = 0; count < 2; count += 1) {
      expect(await late()).toBe(redisDown);
      await link.whenKnown();
      expect(link.isUp()).toBe(true);
    }
    await late();
    expect(reported).toEqual(['up: answers', 'down: no answer in time']);
    await until(link.isUp);
  });

  it('does not count the blocked time of this process as a delay of Redis', async () => {
    const link = await connect();
    const busy = setInterval(() => {
      const end = performance.now() + 80;
      while (performance.now() < end);
    }, 1);
    try {
      for (let count = 0; count < 20; count += 1) expect(await echo(link)).toBe('hello');
    } finally {
      clearInterval(busy);
    }
    expect(reported).toEqual(['up: answers']);
  });

  it('reports another cause once while it is down', async () => {
    const link = await connect();
    await server.kill();
    await until(() => reported.includes('still down: ECONNREFUSED') || reported.includes('down: ECONNREFUSED'));
    const guarded = await startRedisServer(['--requirepass', 'a-password'], server.port);
    try {
      await until(() => reported.some((line) => line.includes('NOAUTH')));
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(reported.filter((line) => line.includes('NOAUTH'))).toEqual(['still down: NOAUTH']);
      expect(link.isUp()).toBe(false);
      expect(await link.runAnyway((client) => client.call('ECHO', ['x']))).toBe(redisDown);
    } finally {
      await guarded.stop();
    }
  });

  it('fails at once after an invalid reply, and when the link hangs', async () => {
    const link = await connect();
    expect(await link.run(() => Promise.reject(new Error('BADREPLY of a script')))).toBe(redisDown);
    expect(reported).toEqual(['up: answers', 'down: BADREPLY']);
    await until(link.isUp);
    server.freeze();
    await ping(link);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const startedAt = performance.now();
    expect(await link.runAnyway((client) => client.call('ECHO', ['x']))).toBe(redisDown);
    expect(performance.now() - startedAt).toBeLessThan(100);
    server.thaw();
  });

  it('reports a refused password by its code, without the password', async () => {
    await server.stop();
    server = await startRedisServer(['--requirepass', 'right-password']);
    const [refused, accepted] = ['wrong-password', 'right-password'].map((password) =>
      server.url.replace('//', `//:${password}@`),
    );
    const link = await connect(refused);
    expect(link.isUp()).toBe(false);
    expect(reported).toEqual(['down: WRONGPASS']);
    expect((await connect(accepted)).isUp()).toBe(true);
  });

  it('sends a script again after the server forgot it', async () => {
    const link = await connect();
    const script = { name: 'testAnswer', lua: "return {'bytes', 7, ARGV[1]}" };
    const run = () => link.run((client) => client.run(script, 'key', ['text']));
    expect(await run()).toEqual([Buffer.from('bytes'), 7, Buffer.from('text')]);
    await server.call('SCRIPT', 'FLUSH');
    expect(await run()).toEqual([Buffer.from('bytes'), 7, Buffer.from('text')]);
    expect(reported).toEqual(['up: answers']);
  });
});
