// Two replicas of the built program with a real Redis, while the upstream hangs, limits them, or one of them is killed:
// how long a user waits if only the other replica has the token.
import { randomUUID } from 'node:crypto';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { shortestMs } from '../../support/shortest.ts';
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

const secret = 'replicas-only-secret-of-at-least-32-bytes';
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const policy = `
version: 1
dataApps:
  sales:
    default: true
    expiresIn: 2m
    request: { clientId: "\${claims.sub}", params: { allowedEmbeds: [overview] } }
`;

type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

const mints: Behaviour = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token: randomUUID() }));
};
const hangs: Behaviour = () => undefined;
const limits: Behaviour = (_request, response) => {
  response.writeHead(429, { 'content-type': 'text/plain', 'retry-after': '30' }).end('too many requests');
};

interface Upstream {
  readonly url: string;
  readonly calls: () => number;
  readonly behave: (next: Behaviour) => void;
  readonly close: () => Promise<void>;
}

async function startUpstream(): Promise<Upstream> {
  let behaviour = mints;
  let calls = 0;
  const server: Server = createServer((request, response) => {
    request.resume().once('end', () => {
      calls += 1;
      behaviour(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    behave: (next) => {
      behaviour = next;
      server.closeIdleConnections();
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe.skipIf(!redisIsInstalled)(`two replicas with Redis${redisReason}`, () => {
  let redis: RedisServer;
  let upstream: Upstream;
  const replicas: Program[] = [];
  let first: Program;
  let second: Program;
  let users = 0;

  const startReplica = async (): Promise<Program> => {
    const program = await startProgram({
      path: programPath(),
      env: {
        JWT_ISSUER: 'https://login.example',
        JWT_AUDIENCE: 'guest-token',
        JWT_SECRET: secret,
        DATABRAIN_API_URL: upstream.url,
        DATABRAIN_API_KEY: '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f10',
        REDIS_URL: redis.url,
        // A token is fresh for 1.2 seconds, then spare for a minute.
        TOKEN_REUSE_MIN_REMAINING_PERCENT: '99',
        RATE_LIMIT_ADDRESS_MAX: '100000',
        DATABRAIN_TIMEOUT_MS: '2000',
        SHUTDOWN_GRACE_SECONDS: '1',
      },
      files: { 'policy.yaml': policy },
    });
    replicas.push(program);
    return program;
  };

  const newUser = (): string => `user-${(users += 1)}`;
  const tokenOf = (sub: string): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://login.example', aud: 'guest-token', sub, iat: now, exp: now + 600 };
    return signToken('HS256', secret, claims);
  };
  const send = async (replica: Program, sub: string) => {
    const startedAt = performance.now();
    const answer = await replica.send({ headers: { authorization: `Bearer ${tokenOf(sub)}` } });
    return { status: answer.status, text: answer.text, ms: performance.now() - startedAt };
  };

  beforeAll(async () => {
    [redis, upstream] = await Promise.all([startRedisServer(), startUpstream()]);
    [first, second] = [await startReplica(), await startReplica()];
  });
  beforeEach(() => upstream.behave(mints));
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await redis.stop();
    await upstream.close();
  });

  it('return the other replica’s token after a short wait while the upstream hangs, and at once from then on', async () => {
    const others = Array.from({ length: 6 }, newUser);
    const alice = newUser();
    const tokens = new Map<string, string>();
    for (const user of [alice, ...others]) tokens.set(user, (await send(first, user)).text);
    await pause(1_500);
    upstream.behave(hangs);
    const afterShortWait = await send(second, alice);
    expect(afterShortWait.text).toBe(tokens.get(alice));
    expect(afterShortWait.ms).toBeLessThan(2_500);
    const atOnceMs = await shortestMs(1_000, async () => {
      const user = others.pop() ?? expect.unreachable();
      const { text, ms } = await send(second, user);
      expect(text).toBe(tokens.get(user));
      return ms;
    });
    expect(atOnceMs).toBeLessThan(1_000);
  });

  it('mint within one second for a user whose replica died while minting', async () => {
    const doomed = await startReplica();
    const alice = newUser();
    upstream.behave(hangs);
    const before = upstream.calls();
    const lost = send(doomed, alice).catch(() => undefined);
    await until(() => upstream.calls() > before);
    upstream.behave(mints);
    doomed.signal('SIGKILL');
    const { status, ms } = await send(second, alice);
    await lost;
    expect(status).toBe(200);
    expect(ms).toBeLessThan(1_800);
  });

  it('finish a mint for a caller who has disconnected, and share it, before they stop', async () => {
    const stopping = await startReplica();
    const alice = newUser();
    let answer: () => void = () => expect.unreachable();
    upstream.behave((request, response) => {
      answer = () => mints(request, response);
    });
    const before = upstream.calls();
    const headers = { authorization: `Bearer ${tokenOf(alice)}`, 'content-length': '0' };
    const call = request({ host: '127.0.0.1', port: stopping.port, path: '/guest-token', method: 'POST', headers });
    call.on('error', () => undefined).end();
    await until(() => upstream.calls() > before);
    call.destroy();
    stopping.signal('SIGTERM');
    const isListening = (): Promise<boolean> =>
      stopping.send({ method: 'GET', path: '/livez' }).then(
        () => true,
        () => false,
      );
    await until(async () => !(await isListening()));
    // The admin listener is closed last. If there were nothing to wait for, it would be closed now.
    expect((await stopping.send({ method: 'GET', path: '/livez', port: stopping.adminPort })).status).toBe(200);
    answer();
    expect(await stopping.exited).toBe(0);
    upstream.behave(hangs);
    expect((await send(second, alice)).status, 'from Redis').toBe(200);
  });

  it('return the other replica’s token at once while the upstream limits them', async () => {
    const [alice, bob] = [newUser(), newUser()];
    const tokens = [await send(first, alice), await send(first, bob)];
    await pause(1_500);
    upstream.behave(limits);
    const answers = [await send(second, alice), await send(second, bob), await send(second, alice)];
    expect(answers.map(({ text }) => text)).toEqual([tokens[0], tokens[1], tokens[0]].map((token) => token?.text));
    for (const { ms } of answers) expect(ms).toBeLessThan(1_000);
  });
});
