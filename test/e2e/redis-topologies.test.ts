import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createRedisTokens } from '../../src/guest-token/redis-tokens.ts';
import { createRedisCounter } from '../../src/limits/redis-counter.ts';
import { createKeyDerivation } from '../../src/redis/derived-keys.ts';
import { parseRedisUrl } from '../../src/redis/redis-address.ts';
import { connectRedis, type RedisLink } from '../../src/redis/redis-link.ts';
import { createApiKeys } from '../support/issuing.ts';
import {
  freePort,
  redisIsInstalled,
  redisReason,
  startRedisServer,
  type RedisServer,
} from '../support/redis-server.ts';

const canMakeCertificates = spawnSync('openssl', ['version']).status === 0;

/** What the service does with Redis, once: count, store, find, lock. */
async function useRedis(link: RedisLink): Promise<void> {
  const taken = await createRedisCounter(link, 'guest-token:1:limit:')('user', { max: 1, windowMs: 1000 });
  expect(taken).toMatchObject({ allowed: true, used: 1 });
  const tokens = createRedisTokens({ link, deriveKey: createKeyDerivation(), clock: systemClock });
  const key = 'k'.repeat(43) as Parameters<typeof tokens.get>[0];
  const apiKey = createApiKeys().get('DATABRAIN_API_KEY') ?? expect.fail();
  const token = '0d6c2f0e-2d7c-4c8f-9a51-7b0f6f3f1a2b';
  await tokens.put(key, apiKey, { token, lifetimeMs: 60_000, remainingMs: 60_000 });
  expect(await tokens.get(key, apiKey)).toMatchObject({ token, lifetimeMs: 60_000 });
  expect(await tokens.lock(key, apiKey)).toHaveProperty('release');
  expect(await tokens.lock(key, apiKey)).toBe('held');
}

describe.skipIf(!redisIsInstalled)(`other ways to reach Redis${redisReason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'redis-topologies-'));
  const servers: RedisServer[] = [];
  const links: RedisLink[] = [];
  const told: string[] = [];

  const start = async (extra: readonly string[], port?: number): Promise<RedisServer> => {
    const server = await startRedisServer(extra, port);
    servers.push(server);
    return server;
  };
  const connect = async (url: string): Promise<RedisLink> => {
    told.length = 0;
    const link = await connectRedis({
      address: parseRedisUrl(url),
      clock: systemClock,
      random: Math.random,
      events: { onRedisState: (state, cause) => told.push(`${state}: ${cause}`) },
      limitMs: 1_000,
    });
    links.push(link);
    const end = performance.now() + 15_000;
    while (!link.isUp() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    return link;
  };
  afterAll(async () => {
    for (const link of links) link.close();
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('a cluster', async () => {
    const state = ['--cluster-enabled', 'yes', '--cluster-config-file', join(folder, 'nodes.conf')];
    const cluster = await start([...state, '--cluster-announce-ip', '127.0.0.1']);
    await cluster.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const link = await connect(`redis+cluster://127.0.0.1:${cluster.port}`);
    expect(link.isUp()).toBe(true);
    await useRedis(link);
  });

  it('a master behind Sentinel', async () => {
    const master = await start([]);
    const port = await freePort();
    const file = join(folder, 'sentinel.conf');
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 ${master.port} 1\n`);
    await start([file, '--sentinel'], port);
    const link = await connect(`redis+sentinel://127.0.0.1:${port}/mymaster/1`);
    expect(link.isUp()).toBe(true);
    await useRedis(link);
    expect(String(await master.ask('INFO', 'keyspace'))).toContain('db1:');
  });

  it.skipIf(!canMakeCertificates)('TLS, but not to a server whose certificate nobody vouches for', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const keyPair = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...keyPair, ...subject], { stdio: 'ignore' });
    const tlsPort = await freePort();
    const tls = [
      '--tls-port',
      String(tlsPort),
      '--tls-cert-file',
      cert,
      '--tls-key-file',
      key,
      '--tls-auth-clients',
      'no',
    ];
    await start(tls);
    const url = `rediss://localhost:${tlsPort}`;

    const script = `
      import { connectRedis } from './src/redis/redis-link.ts';
      import { parseRedisUrl } from './src/redis/redis-address.ts';
      import { systemClock } from './src/clock.ts';
      const told = [];
      const events = { onRedisState: (state, cause) => told.push(state + ': ' + cause) };
      const link = await connectRedis({ address: parseRedisUrl('${url}'), clock: systemClock, random: Math.random, events });
      console.log(told[0]);
      link.close();
    `;
    const run = (env: Record<string, string>): string =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { PATH: process.env['PATH'], ...env },
        encoding: 'utf8',
      }).trim();
    expect(run({})).toBe('down: DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(run({ NODE_EXTRA_CA_CERTS: cert })).toBe('up: answers');
  });
});
