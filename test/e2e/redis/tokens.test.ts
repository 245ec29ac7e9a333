import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../src/clock.ts';
import { ServiceError } from '../../../src/errors.ts';
import { createRedisTokens } from '../../../src/guest-token/redis-tokens.ts';
import { createKeyDerivation } from '../../../src/redis/key-derivation.ts';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { connectRedis } from '../../../src/redis/redis-link.ts';
import {
  createApiKeys,
  createScriptedMint,
  grantOf,
  hour,
  principalOf,
  startIssue,
  type RecordedIssue,
} from '../../support/issuing.ts';
import { oneRedisServer } from '../../support/servers/one-redis-server.ts';
import { redisIsInstalled, redisReason, type RedisServer } from '../../support/servers/redis-server.ts';
import { shortestMs } from '../../support/shortest.ts';
import { until } from '../../support/until.ts';

const alice = principalOf('alice@example.com');

/** This machine's clock with a wrong wall time, as another replica's may be. */
const clockOffBy = (ms: number): Clock => ({ now: () => systemClock.now() + ms, monotonic: systemClock.monotonic });

describe.skipIf(!redisIsInstalled)(`tokens shared through Redis${redisReason}`, () => {
  let server: RedisServer;
  const links = oneRedisServer((started) => (server = started));

  const scripted = createScriptedMint(systemClock);

  /** A replica with a common mint; `limitMs` is long, so that a busy machine does not look like a slow Redis. */
  const startReplica = async (
    options: {
      clock?: Clock;
      apiKey?: string;
      limitMs?: number;
      maxEntries?: number;
      deadlineMs?: number;
      isUp?: false;
    } = {},
  ) => {
    const { clock = systemClock, apiKey, limitMs = 1_000, maxEntries = 1_000, deadlineMs = 8_000 } = options;
    const link = await connectRedis({
      address: parseRedisUrl(server.url),
      clock,
      random: Math.random,
      events: { onRedisState: () => undefined, onRedisCause: () => undefined },
      limitMs,
    });
    links.push(link);
    const usedLink = options.isUp === false ? { ...link, isUp: () => false } : link;
    const shared = createRedisTokens({ link: usedLink, deriveKey: createKeyDerivation(), clock });
    const replica: RecordedIssue = startIssue({
      mint: scripted.mint,
      apiKeys: createApiKeys(apiKey),
      clock,
      shared,
      maxEntries,
      deadlineMs,
    });
    return { ...replica, link, shared };
  };

  const minted = (): number => scripted.grants.length;
  let before = 0;
  beforeEach(() => {
    scripted.behave(() => Promise.resolve());
    before = minted();
  });

  it('are found even while a slow Redis is marked as down, if the alternative is an error', async () => {
    const first = await startReplica();
    const { token } = await first.issue(grantOf(), alice);
    const second = await startReplica({ isUp: false });
    scripted.behave(() => Promise.reject(new ServiceError('UPSTREAM_UNAVAILABLE', 'circuit_open')));
    expect(await second.issue(grantOf(), alice)).toMatchObject({ token, reused: true });
  });

  it('are minted once for two replicas', async () => {
    const [first, second] = [await startReplica(), await startReplica()];
    const one = await first.issue(grantOf(), alice);
    const two = await second.issue(grantOf(), alice);
    expect(two.token).toBe(one.token);
    expect(two.reused).toBe(true);
    expect(two.expiresInSeconds).toBeGreaterThan(3590);
    expect(two.expiresInSeconds).toBeLessThan(3600);
    expect(minted() - before).toBe(1);
    expect(second.results).toEqual(['shared']);
    await second.issue(grantOf(), alice);
    expect(second.results).toEqual(['shared', 'hit']);
  });

  it('are minted once if all replicas get requests at once', async () => {
    const replicas = await Promise.all([startReplica(), startReplica(), startReplica()]);
    scripted.behave(() => new Promise((resolve) => setTimeout(resolve, 150)));
    const tokens = await Promise.all(
      replicas.flatMap(({ issue }) => [issue(grantOf(), alice), issue(grantOf(), alice)]),
    );
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(1);
    expect(minted() - before).toBe(1);
  });

  it('are minted by another replica if the holder of the lock has died', async () => {
    const [gone, other] = [await startReplica(), await startReplica()];
    scripted.behave(() => new Promise(() => undefined));
    void gone.issue(grantOf(), alice);
    await until(() => minted() > before);
    gone.link.close();
    scripted.behave(() => Promise.resolve());
    const startedAt = performance.now();
    expect((await other.issue(grantOf(), alice)).reused).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1_200);
  });

  it('are awaited while another replica mints, within the deadline of a mint', async () => {
    const [slow, other] = [await startReplica(), await startReplica({ deadlineMs: 2_000 })];
    scripted.behave(() => new Promise((resolve) => setTimeout(resolve, 1_200)));
    const [theirs, ours] = await Promise.all([slow.issue(grantOf(), alice), other.issue(grantOf(), alice)]);
    expect(ours.token).toBe(theirs.token);
    expect(minted() - before).toBe(1);

    const bob = principalOf('bob');
    scripted.behave(() => new Promise(() => undefined));
    void slow.issue(grantOf(), bob);
    await until(() => minted() - before === 2);
    const startedAt = performance.now();
    await expect(other.issue(grantOf(), bob)).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(minted() - before).toBe(2);
  });

  it('are minted by the next replica if the first one fails', async () => {
    const [first, second] = [await startReplica(), await startReplica()];
    scripted.behave(async () => {
      scripted.behave(() => Promise.resolve());
      await new Promise((resolve) => setTimeout(resolve, 100));
      throw new ServiceError('UPSTREAM_UNAVAILABLE', 'upstream_error');
    });
    const startedAt = performance.now();
    const outcomes = await Promise.allSettled([first.issue(grantOf(), alice), second.issue(grantOf(), alice)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    // The first replica has released it; otherwise it would expire only after one second.
    expect(performance.now() - startedAt).toBeLessThan(800);
    await until(async () => ((await server.call('KEYS', 'guest-token:1:lock:*')) as string[]).length === 0, 500);
  });

  it('are returned as spare tokens by a replica that has just started while the upstream is down', async () => {
    const first = await startReplica();
    const { token } = await first.issue(grantOf({ lifetimeMs: hour }), alice);
    // Less than the required share is left, like for a token that is 35 minutes old.
    const old = clockOffBy(35 * 60_000);
    const second = await startReplica({ clock: old });
    scripted.behave(() => Promise.reject(new ServiceError('UPSTREAM_UNAVAILABLE', 'circuit_open')));
    expect(await second.issue(grantOf(), alice)).toMatchObject({ token, reused: true });
    expect(second.results).toEqual(['spare']);
    await server.kill();
    expect(await second.issue(grantOf(), alice), 'kept when Redis is gone too').toMatchObject({ token });
  });

  it('never seem valid for longer because of a wrong clock', async () => {
    const behind = await startReplica({ clock: clockOffBy(-2 * hour) });
    const ahead = await startReplica({ clock: clockOffBy(2 * hour) });
    const right = await startReplica();
    const fromRight = await right.issue(grantOf(), alice);
    expect(await behind.issue(grantOf(), alice)).toMatchObject({ token: fromRight.token });
    const left = (await behind.issue(grantOf(), alice)).expiresInSeconds;
    expect(left).toBeLessThan(3600);
    expect((await ahead.issue(grantOf(), alice)).reused, 'ended by its clock: mints its own').toBe(false);
  });

  it('are not kept longer because of a late write in Redis', async () => {
    const { shared } = await startReplica();
    const key = 'a'.repeat(43) as Parameters<typeof shared.get>[0];
    const apiKey = createApiKeys().get('DATABRAIN_API_KEY') ?? expect.fail();
    const token = '0d6c2f0e-2d7c-4c8f-9a51-7b0f6f3f1a2b';
    await shared.put(key, apiKey, { token, lifetimeMs: hour, remainingMs: 10_000 });
    const [name = ''] = (await server.call('KEYS', '*')) as string[];
    await server.call('PEXPIRE', name, String(10 * hour));
    expect((await shared.get(key, apiKey))?.remainingMs).toBeLessThanOrEqual(9_000);
    await server.call('PERSIST', name);
    expect(await shared.get(key, apiKey)).toBeUndefined();
  });

  it('never last longer than they were minted for, whatever clocks and the expiry in Redis are', async () => {
    const ahead = await startReplica({ clock: clockOffBy(2 * hour) });
    const right = await startReplica();
    const { token } = await ahead.issue(grantOf(), alice);
    const [name = ''] = (await server.call('KEYS', 'guest-token:1:token:*')) as string[];
    await server.call('PEXPIRE', name, String(10 * hour));
    const found = await right.issue(grantOf(), alice);
    expect(found.token).toBe(token);
    expect(found.expiresInSeconds).toBeLessThanOrEqual(3599);
  });

  it('are not returned as spare tokens with less than a minute left', async () => {
    const first = await startReplica();
    const { token } = await first.issue(grantOf(), alice);
    scripted.behave(() => Promise.reject(new ServiceError('UPSTREAM_UNAVAILABLE', 'circuit_open')));
    for (const isUp of [undefined, false] as const) {
      const at = (ageMs: number) => startReplica({ clock: clockOffBy(ageMs), ...(isUp === false && { isUp }) });
      const [young, old] = [await at(58 * 60_000), await at(59 * 60_000)];
      expect((await young.issue(grantOf(), alice)).token).toBe(token);
      await expect(old.issue(grantOf(), alice)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    }
  });

  it('are not read if they are too long', async () => {
    const first = await startReplica();
    await first.issue(grantOf(), alice);
    const [name = ''] = (await server.call('KEYS', 'guest-token:1:token:*')) as string[];
    await server.call('SETRANGE', name, String(64 * 2 ** 20), 'x');
    const bytesSent = async (): Promise<number> =>
      Number(/total_net_output_bytes:(\d+)/.exec(String(await server.call('INFO', 'stats')))?.[1]);
    const before = await bytesSent();
    const second = await startReplica();
    expect((await second.issue(grantOf(), alice)).reused).toBe(false);
    expect((await bytesSent()) - before).toBeLessThan(2 ** 20);
    expect(second.link.isUp()).toBe(true);
  });

  it('are renewed ahead of time once, whichever replica gets the request', async () => {
    let aheadMs = 0;
    const clock: Clock = {
      now: () => systemClock.now() + aheadMs,
      monotonic: () => systemClock.monotonic() + aheadMs,
    };
    const replicas = [await startReplica({ clock }), await startReplica({ clock })];
    for (const { issue } of replicas) await issue(grantOf(), alice);
    expect(minted() - before).toBe(1);
    aheadMs = 29 * 60_000;
    scripted.behave(() => new Promise((resolve) => setTimeout(resolve, 100)));
    const during = await Promise.all(replicas.map(({ issue }) => issue(grantOf(), alice)));
    expect(new Set(during.map(({ token }) => token)).size).toBe(1);
    for (const { close } of replicas) await close();
    expect(minted() - before).toBe(2);
    expect(replicas.flatMap(({ renewals }) => renewals)).toEqual(['renewed', 'renewed']);
    const after = await Promise.all(replicas.map(({ issue }) => issue(grantOf(), alice)));
    expect(new Set(after.map(({ token }) => token)).size).toBe(1);
    expect(after[0]?.token).not.toBe(during[0]?.token);
    expect(await server.call('KEYS', 'guest-token:1:lock:*'), 'every lock was released').toEqual([]);
  });

  it('are ignored if they were changed, moved to another key, or written by another program', async () => {
    const [first, second] = [await startReplica(), await startReplica()];
    const { token } = await first.issue(grantOf(), alice);
    const [name = ''] = (await server.call('KEYS', 'guest-token:1:token:*')) as string[];
    await server.call('SETRANGE', name, '40', 'X');
    expect((await second.issue(grantOf(), alice)).token).not.toBe(token);

    const bob = principalOf('bob@example.com');
    await first.issue(grantOf(), bob);
    const names = (await server.call('KEYS', 'guest-token:1:token:*')) as string[];
    const bobsName = names.find((one) => one !== name) ?? expect.fail();
    await server.call('COPY', name, bobsName, 'REPLACE');
    const third = await startReplica();
    expect(await third.issue(grantOf(), bob)).toMatchObject({ reused: false });

    await server.call('DEL', name);
    await server.call('LPUSH', name, 'foreign');
    const fourth = await startReplica();
    expect(await fourth.issue(grantOf(), alice)).toMatchObject({ reused: false });
    expect(fourth.link.isUp()).toBe(true);
  });

  it('are not found with another API key', async () => {
    const first = await startReplica();
    const other = await startReplica({ apiKey: '11111111-2222-4333-8444-555555555555' });
    const { token } = await first.issue(grantOf(), alice);
    expect((await other.issue(grantOf(), alice)).token).not.toBe(token);
  });

  it('reveal neither token nor user nor API key in a dump', async () => {
    const { issue } = await startReplica();
    const { token } = await issue(grantOf(), alice);
    const dump = await server.dump();
    expect(dump).toContain('guest-token:1:token:');
    const apiKey = createApiKeys().get('DATABRAIN_API_KEY')?.reveal() ?? expect.fail();
    for (const secret of [token, apiKey, 'alice', 'acme', 'sales-dashboard', 'login.example.com']) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('base64').slice(0, -4));
    }
  });

  it('are removed from Redis when they expire', async () => {
    const { issue } = await startReplica();
    await issue(grantOf({ lifetimeMs: 3_000 }), alice);
    const [name = ''] = (await server.call('KEYS', 'guest-token:1:token:*')) as string[];
    const countdown = Number(await server.call('PTTL', name));
    expect(countdown).toBeGreaterThan(0);
    expect(countdown).toBeLessThanOrEqual(3_000);
  });

  it('are still returned within 50 ms while Redis hangs or is down, minted by the process', async () => {
    const { issue, link } = await startReplica({ limitMs: 35 });
    const { token } = await issue(grantOf(), alice);
    let others = 0;
    const waitMs = await shortestMs(50, async () => {
      await until(link.isUp);
      server.freeze();
      const startedAt = performance.now();
      expect((await issue(grantOf(), principalOf(`other ${(others += 1)}`))).reused).toBe(false);
      const ms = performance.now() - startedAt;
      expect((await issue(grantOf(), alice)).token).toBe(token);
      expect(link.isUp()).toBe(false);
      server.thaw();
      return ms;
    });
    expect(waitMs).toBeLessThan(50);
    await server.kill();
    expect((await issue(grantOf(), principalOf('carol'))).reused).toBe(false);
  });

  it('survive a flush under load, without an error for users', async () => {
    const replicas = [await startReplica({ maxEntries: 1 }), await startReplica({ maxEntries: 1 })];
    const users = Array.from({ length: 20 }, (_, index) => principalOf(`user ${index}`));
    const load = (async () => {
      for (let round = 0; round < 15; round += 1) {
        await Promise.all(replicas.flatMap(({ issue }) => users.map((user) => issue(grantOf(), user))));
      }
    })();
    for (let count = 0; count < 3; count += 1) {
      await server.call('FLUSHALL');
      await server.call('SCRIPT', 'FLUSH');
    }
    await expect(load).resolves.toBeUndefined();
  });
});
