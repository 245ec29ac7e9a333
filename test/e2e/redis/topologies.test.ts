import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createRedisTokens } from '../../../src/guest-token/redis-tokens.ts';
import { createRedisCounter } from '../../../src/limits/redis-counter.ts';
import { createKeyDerivation } from '../../../src/redis/key-derivation.ts';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { connectRedis, type RedisLink } from '../../../src/redis/redis-link.ts';
import { freePort } from '../../../demo/free-port.ts';
import { createApiKeys } from '../../support/issuing.ts';
import {
  redisIsInstalled,
  redisReason,
  startRedisServer,
  type RedisServer,
} from '../../support/servers/redis-server.ts';
import { needs } from '../../support/vitest/needs.ts';

const canMakeCertificates = spawnSync('openssl', ['version']).status === 0;

/** Every kind of call to Redis, once: count, store, find, lock. */
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
  const reported: string[] = [];

  const start = async (extra: readonly string[], port?: number): Promise<RedisServer> => {
    const server = await startRedisServer(extra, port);
    servers.push(server);
    return server;
  };
  const connect = async (url: string): Promise<RedisLink> => {
    reported.length = 0;
    const link = await connectRedis({
      address: parseRedisUrl(url),
      clock: systemClock,
      random: Math.random,
      events: {
        onRedisState: (state, cause) => reported.push(`${state}: ${cause}`),
        onRedisCause: (cause) => reported.push(`still down: ${cause}`),
      },
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
    await cluster.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
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
    expect(String(await master.call('INFO', 'keyspace'))).toContain('db1:');
  });

  describe.skipIf(!canMakeCertificates)(
    `TLS, but not to a server with an untrusted certificate${needs(canMakeCertificates, 'openssl')}`,
    () => {
      const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
      const tls = [
        '--tls-cert-file',
        cert,
        '--tls-key-file',
        key,
        '--tls-ca-cert-file',
        cert,
        '--tls-auth-clients',
        'no',
      ];

      beforeAll(() => {
        const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
        const keyPair = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
        execFileSync('openssl', [...keyPair, ...subject], { stdio: 'ignore' });
      });

      /** The state of the server for a separate process with these variables: the first one, or `up`. */
      const stateIn = async (url: string, env: Record<string, string>): Promise<string> => {
        const script = `
        import { connectRedis } from './src/redis/redis-link.ts';
        import { parseRedisUrl } from './src/redis/redis-address.ts';
        import { systemClock } from './src/clock.ts';
        const reported = [];
        const events = { onRedisState: (state, cause) => reported.push(state + ': ' + cause), onRedisCause: () => undefined };
        const options = { address: parseRedisUrl('${url}'), clock: systemClock, random: Math.random, events, limitMs: 1000 };
        const link = await connectRedis(options);
        const tries = process.env.NODE_EXTRA_CA_CERTS === undefined ? 5 : 100;
        for (let i = 0; i < tries && !link.isUp(); i += 1) await new Promise((resolve) => setTimeout(resolve, 100));
        console.log(reported.at(-1));
        link.close();
      `;
        const { stdout } = await promisify(execFile)(
          process.execPath,
          ['--no-warnings', '--input-type=module', '-e', script],
          {
            env: { PATH: process.env['PATH'], ...env },
          },
        );
        return stdout.trim();
      };

      const expectVerifiedTls = async (url: string): Promise<void> => {
        const [refused, refusedToo, accepted] = await Promise.all([
          stateIn(url, {}),
          stateIn(url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
          stateIn(url, { NODE_EXTRA_CA_CERTS: cert }),
        ]);
        expect(refused).toMatch(/^down: (DEPTH_ZERO_SELF_SIGNED_CERT|connection failed)$/);
        expect(refusedToo).toBe(refused);
        expect(accepted).toBe('up: answers');
      };

      it('one server', async () => {
        const server = await start(tls);
        await expectVerifiedTls(`rediss://localhost:${server.port}`);
      });

      it('Sentinel', async () => {
        const master = await start(tls);
        const port = await freePort();
        const file = join(folder, 'sentinel-tls.conf');
        writeFileSync(
          file,
          [
            'port 0',
            `tls-port ${port}`,
            'bind 127.0.0.1',
            `tls-cert-file ${cert}`,
            `tls-key-file ${key}`,
            `tls-ca-cert-file ${cert}`,
            'tls-auth-clients no',
            'tls-replication yes',
            `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`,
            '',
          ].join('\n'),
        );
        await start([file, '--sentinel', '--tls-ca-cert-file', cert], port);
        await expectVerifiedTls(`rediss+sentinel://localhost:${port}/mymaster`);
      });
    },
  );
});
