// The round trips to Redis of a known user's request, with the built program and a proxy that delays replies.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { startProgram, type Program } from '../../support/programs/program.ts';
import {
  redisIsInstalled,
  redisReason,
  startRedisServer,
  type RedisServer,
} from '../../support/servers/redis-server.ts';
import { signToken } from '../../support/sign-token.ts';
import { until } from '../../support/until.ts';

const secret = 'round-trips-only-secret-of-at-least-32-bytes';
const apiKey = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f10';

interface HoldingProxy {
  readonly port: number;
  /** Holds back all answers until this many counts are requested. */
  readonly holdUntil: (counts: number) => void;
  /** The counts requested since then. */
  readonly counts: () => number;
  readonly close: () => Promise<void>;
}

async function startHoldingProxy(redisPort: number): Promise<HoldingProxy> {
  const sockets = new Set<Socket>();
  let counts = 0;
  let wanted = 0;
  let held: (() => void)[] = [];
  const release = (): void => {
    if (counts < wanted) return;
    for (const answer of held) answer();
    held = [];
  };
  const server: Server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        redis.destroy();
      });
    }
    client.on('data', (chunk) => {
      counts += chunk.toString('latin1').split('guest-token:1:limit:').length - 1;
      redis.write(chunk);
      release();
    });
    redis.on('data', (chunk) => {
      held.push(() => client.write(chunk));
      release();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    holdUntil: (next) => {
      counts = 0;
      wanted = next;
    },
    counts: () => counts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe.skipIf(!redisIsInstalled)(`a request of a known user${redisReason}`, () => {
  let redis: RedisServer;
  let proxy: HoldingProxy;
  let databrain: SimulatedDatabrain;
  let program: Program;

  beforeAll(async () => {
    redis = await startRedisServer();
    proxy = await startHoldingProxy(redis.port);
    databrain = await startSimulatedDatabrain({ apiKeys: { sales: apiKey }, embeds: 'any' });
    program = await startProgram({
      path: programPath(),
      env: {
        JWT_ISSUER: 'https://login.example',
        JWT_AUDIENCE: 'guest-token',
        JWT_SECRET: secret,
        DATABRAIN_API_URL: databrain.url,
        DATABRAIN_API_KEY: apiKey,
        REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
      },
      files: {
        'policy.yaml':
          'version: 1\ndataApps: { sales: { default: true, expiresIn: 1h, request: { clientId: "${claims.sub}" } } }\n',
      },
    });
  });
  afterAll(async () => {
    proxy.holdUntil(0);
    await program.stop();
    await proxy.close();
    await redis.stop();
    await databrain.close();
  });

  it('requests both counts from Redis before either is answered', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://login.example', aud: 'guest-token', sub: 'alice', iat: now, exp: now + 600 };
    const send = () => program.send({ headers: { authorization: `Bearer ${signToken('HS256', secret, claims)}` } });
    await until(() => program.logged('redisInUse').length > 0);
    expect((await send()).status).toBe(200);
    proxy.holdUntil(2);
    const answer = await send();
    expect(answer.status).toBe(200);
    expect(proxy.counts()).toBe(2);
    expect(answer.headers['ratelimit']).toMatch(/^"address";r=598;t=\d+, "user";r=58;t=\d+$/);
    expect(program.logged('redisNotInUse')).toEqual([]);
  });
});
