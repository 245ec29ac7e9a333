// The cost of a request in the whole service, in counts that do not depend on the load of the machine: signatures,
// parsed and written JSON texts, hashes, promises, upstream calls, packets and log writes. Real sockets on both sides,
// in one process.
import { createHook } from 'node:async_hooks';
import { generateKeyPairSync, Verify } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { buildApp, type App } from '../../src/app.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfiguration } from '../../src/config/load-configuration.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { countHashes } from '../support/count-hashes.ts';
import { startFaultyUpstream, tokenResponse, type FaultyUpstream } from '../support/servers/faulty-upstream.ts';
import { signToken } from '../support/sign-token.ts';

const hashes = countHashes();
afterAll(hashes.stop);

const policy = `
version: 1
dataApps:
  sales:
    default: true
    expiresIn: 1h
    request:
      clientId: \${claims.org}
      params: { userIdentifier: "\${claims.sub}", allowedEmbeds: [sales-overview] }
`;

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const users = 300;
const atATime = 30;
const oncePerApiKey = 1 / users;
const exp = Math.floor(Date.now() / 1000) + 600;
const claimsOf = (user: number) => ({ iss: 'https://a.example', aud: 'a', sub: `user-${user}`, org: 'acme', exp });
const tokens = Array.from({ length: users }, (_, user) => signToken('RS256', privateKey, claimsOf(user)));

let upstream: FaultyUpstream | undefined;
let app: App | undefined;

afterEach(async () => {
  vi.restoreAllMocks();
  await app?.stop();
  await upstream?.close();
  app = upstream = undefined;
});

async function start() {
  const calls = { logWrites: 0, lines: 0 };
  upstream = await startFaultyUpstream((request, socket) => void socket.write(tokenResponse(request.index)));
  const configuration = loadConfiguration(
    {
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      JWT_ISSUER: 'https://a.example',
      JWT_AUDIENCE: 'a',
      JWT_PUBLIC_KEY: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      DATABRAIN_API_URL: upstream.baseUrl,
      DATABRAIN_API_KEY: '0b9c7a52-4f0e-4a86-8f57-2f1f6f0f7e11',
      POLICY_FILE: 'policy.yaml',
      RATE_LIMIT_ADDRESS_MAX: '100000',
      SHUTDOWN_DRAIN_SECONDS: '0',
      SHUTDOWN_GRACE_SECONDS: '1',
    },
    () => Buffer.from(policy),
  );
  const log = createLog({
    level: 'info',
    clock: systemClock,
    sink: {
      write: (text, done) => {
        calls.logWrites += 1;
        calls.lines += text.split('\n').length - 1;
        setImmediate(done);
      },
    },
  });
  app = await buildApp({ configuration, log, clock: systemClock, openApiDocument: '', browserHelper: '' });
  const { port } = await app.listen();
  return { port, calls };
}

/**
 * Sends every token once, over the given number of connections. Returns the number of 200 answers, and their packets.
 */
async function sendAll(port: number): Promise<{ readonly issued: number; readonly packets: number }> {
  const requests = tokens.map(
    (token) => `POST /guest-token HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-length: 0\r\n\r\n`,
  );
  let [next, issued, packets] = [0, 0, 0];
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const send = (): void => {
        const request = requests[next];
        next += 1;
        if (request === undefined) socket.end();
        else socket.write(request);
      };
      let response = '';
      socket.on('connect', send).on('error', reject).on('close', resolve);
      socket.on('data', (chunk) => {
        packets += 1;
        response += chunk.toString('latin1');
        if (!response.endsWith('}')) return;
        if (response.startsWith('HTTP/1.1 200')) issued += 1;
        response = '';
        send();
      });
    });
  await Promise.all(Array.from({ length: atATime }, one));
  return { issued, packets };
}

/** The counts during `run`, per request. */
async function countedPerRequest(run: () => Promise<{ readonly issued: number; readonly packets: number }>) {
  const parse = vi.spyOn(JSON, 'parse');
  const verify = vi.spyOn(Verify.prototype, 'verify');
  const timers = vi.spyOn(globalThis, 'setTimeout');
  const written = vi.spyOn(JSON, 'stringify');
  const weakEntries = vi.spyOn(WeakMap.prototype, 'set');
  let promises = 0;
  const hook = createHook({ init: (_id, type) => void (promises += type === 'PROMISE' ? 1 : 0) }).enable();
  hashes.reset();
  let rounds = 0;
  let isRunning = true;
  const nextRound = (): void => {
    rounds += 1;
    if (isRunning) setImmediate(nextRound);
  };
  nextRound();
  const { issued, packets } = await run();
  hook.disable();
  isRunning = false;
  expect(issued).toBe(users);
  const per = (count: number): number => count / users;
  return {
    parsed: per(parse.mock.calls.length),
    verified: per(verify.mock.calls.length),
    timers: per(timers.mock.calls.length),
    hashes: per(hashes.count()),
    written: per(written.mock.calls.length),
    weakEntries: per(weakEntries.mock.calls.length),
    promises: per(promises),
    packets: per(packets),
    rounds,
  };
}

describe('A request', () => {
  it('with a new token costs one signature check, five parsed JSON texts, five hashes and one packet in each direction', async () => {
    const { port, calls } = await start();
    const cost = await countedPerRequest(() => sendAll(port));
    expect(cost.verified).toBe(1);
    // Header and payload, by this service and by the library of @fastify/jwt, and the response of the upstream.
    expect(cost.parsed).toBe(5);
    // Of the token, the request, the reuse key, the tag and the guest token.
    expect(cost.hashes).toBeLessThanOrEqual(5 + oncePerApiKey);
    expect(cost.packets).toBeLessThan(1.05);
    // Undici's timer, one per connection.
    expect(cost.timers).toBeLessThan(1.5);
    expect(upstream?.seen).toHaveLength(users);
    expect(calls.lines).toBeGreaterThanOrEqual(users);
    expect(calls.logWrites).toBeLessThanOrEqual(cost.rounds);
  });

  it('with a known token costs one hash, one JSON text and one packet, without a timer or a call', async () => {
    const { port, calls } = await start();
    await sendAll(port);
    calls.logWrites = calls.lines = 0;
    const cost = await countedPerRequest(() => sendAll(port));
    // The text is the body of the response; the log line is not created from an object.
    expect(cost).toMatchObject({ verified: 0, parsed: 0, hashes: 1, written: 1, weakEntries: 0 });
    expect(cost.packets).toBeLessThan(1.05);
    expect(cost.timers).toBeLessThan(0.1);
    // Includes those that `await` creates; the library and the server wait for their steps.
    expect(cost.promises).toBeLessThan(32);
    expect(upstream?.seen).toHaveLength(users);
    expect(calls.lines).toBeGreaterThanOrEqual(users);
    expect(calls.logWrites).toBeLessThanOrEqual(cost.rounds);
  });
});
