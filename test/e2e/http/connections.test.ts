// The limits of one client: connections, unanswered requests, unread responses, time.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import type { Program } from '../../support/programs/program.ts';
import { accessToken, startDatabrain, startService } from '../../support/programs/sales-service.ts';
import { signToken } from '../../support/sign-token.ts';
import { descriptorsOf, openProbe, type Probe } from '../../support/socket-probe.ts';
import { until } from '../../support/until.ts';

const host = 'Host: localhost\r\n';
const livez = `GET /livez HTTP/1.1\r\n${host}\r\n`;
const post = `POST /guest-token HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`;

let databrain: SimulatedDatabrain;
let program: Program;

const start = (env: Readonly<Record<string, string>> = {}): Promise<Program> =>
  startService(databrain, { RATE_LIMIT_ADDRESS_MAX: '1000000', ...env });

beforeAll(async () => {
  databrain = await startDatabrain();
  program = await start();
});
afterAll(async () => {
  expect(await program.stop()).toBe(0);
  await databrain.close();
});

const statuses = ({ received }: Probe): string[] =>
  [...received().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status = '']) => status);
const metric = async ({ send, adminPort }: Program, name: string): Promise<number> => {
  const { text } = await send({ method: 'GET', path: '/metrics', port: adminPort });
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
};

describe('requests on one connection', () => {
  it('are answered one after the other, in order', async () => {
    const probe = await openProbe(program.port, livez + post + livez + post.replace('POST', 'PUT') + livez);
    await until(() => statuses(probe).length === 5);
    expect(statuses(probe)).toEqual(['200', '401', '200', '405', '200']);
    probe.socket.destroy();
  });

  it('are all answered if at most eight of them are unanswered', async () => {
    const probe = await openProbe(program.port, post.repeat(8));
    await until(() => statuses(probe).length === 8);
    probe.socket.destroy();
  });

  it.each([9, 3_000])('close it if %i arrive at once, and none is processed', async (count) => {
    const closedBefore = await metric(program, 'guest_token_connections_closed_total{cause="pipelining"}');
    const refusedBefore = program.lines().filter(({ event }) => event === 'guest_token.refused').length;
    const probe = await openProbe(program.port, post.repeat(count));
    await probe.ended;
    expect(await metric(program, 'guest_token_connections_closed_total{cause="pipelining"}')).toBe(closedBefore + 1);
    const refused = program.lines().filter(({ event }) => event === 'guest_token.refused').length - refusedBefore;
    expect(refused).toBe(0);
    expect(statuses(probe)).toEqual([]);
  });

  it('are answered before invalid bytes are, which are answered last', async () => {
    const probe = await openProbe(program.port, `${livez}${post}nonsense\r\n\r\n`);
    await probe.ended;
    expect(statuses(probe)).toEqual(['200', '401', '400']);
  });

  it('are not processed after a response that closes the connection', async () => {
    const minted = databrain.requests.length;
    const authorized = post.replace('\r\n\r\n', `\r\nAuthorization: Bearer ${accessToken()}\r\n\r\n`);
    const probe = await openProbe(
      program.port,
      livez.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n') + authorized,
    );
    await probe.ended;
    expect(statuses(probe)).toEqual(['200']);
    expect(databrain.requests.length).toBe(minted);
  });
});

it('input is parsed strictly even if NODE_OPTIONS requests a lenient parser', async () => {
  const lenient = await start({ NODE_OPTIONS: '--insecure-http-parser' });
  for (const bytes of [
    `POST /guest-token HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X: a\x01b\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`,
  ]) {
    const probe = await openProbe(lenient.port, bytes);
    await probe.ended;
    expect(statuses(probe)).toEqual(['400']);
    probe.socket.destroy();
  }
  expect(await lenient.stop()).toBe(0);
});

describe('a connection whose client never closes', () => {
  const cases: readonly (readonly [title: string, bytes: string, last: string])[] = [
    ['bytes that are not HTTP', '\x16\x03\x01\r\n\r\n', '400'],
    ['CONNECT', `CONNECT a:80 HTTP/1.1\r\n${host}\r\n`, '400'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505'],
    ['headers without an end', `GET /livez HTTP/1.1\r\n${host}X: ${'a'.repeat(100_000)}`, '431'],
    ['a broken chunk', `POST /guest-token HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, '400'],
    ['Connection: close', livez.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), '200'],
    ['HTTP/1.0', 'GET /livez HTTP/1.0\r\n\r\n', '200'],
  ];
  it.each(cases)(
    'is closed within one second after the answer to %s, on both listeners',
    async (_title, bytes, last) => {
      for (const port of [program.port, program.adminPort]) {
        const before = descriptorsOf(program.pid);
        const probe = await openProbe(port, Buffer.from(bytes, 'latin1'));
        await until(() => statuses(probe).length > 0);
        const answeredAt = performance.now();
        await until(() => descriptorsOf(program.pid) <= before, 3_000);
        expect(performance.now() - answeredAt).toBeLessThan(1_000);
        expect(statuses(probe)).toEqual([last]);
        probe.socket.destroy();
      }
    },
  );

  it.concurrent('is closed within seconds if it sends nothing, half of a header or half of a body', async () => {
    const small = await start({ KEEP_ALIVE_TIMEOUT_SECONDS: '2' });
    const before = descriptorsOf(small.pid);
    const halves = [
      '',
      `GET /livez HTTP/1.1\r\n${host}A`,
      `POST /guest-token HTTP/1.1\r\n${host}Authorization: Bearer ${accessToken()}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
      livez,
    ];
    const probes = await Promise.all(halves.map((bytes) => openProbe(small.port, bytes)));
    const [silent = 0, header = 0, body = 0, idle = 0] = await Promise.all(probes.map(({ ended }) => ended));
    for (const ms of [silent, header, body]) expect(ms).toBeLessThan(13_000);
    expect(idle).toBeLessThan(6_000);
    expect(probes.map(statuses)).toEqual([['408'], ['408'], ['408'], ['200']]);
    await until(() => descriptorsOf(small.pid) <= before, 3_000);
    for (const { socket } of probes) socket.destroy();
    expect(await small.stop()).toBe(0);
  }, 60_000);

  it.concurrent('can be used again after it was idle for longer than the time limit for headers', async () => {
    const probe = await openProbe(program.port, livez);
    await until(() => statuses(probe).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    probe.socket.write(livez);
    await until(() => statuses(probe).length === 2);
    probe.socket.destroy();
  }, 30_000);
});

describe('a caller who disconnects during authentication', () => {
  it.each([
    ['without a body', ''],
    ['with a body', '{"dataApp":"sales-dashboard"}'],
  ])('causes one audit line, and nothing is minted: %s', async (_title, body) => {
    const pending: ServerResponse[] = [];
    const keyServer = createServer((_request, response) => void pending.push(response));
    await new Promise<void>((resolve) => void keyServer.listen(0, '127.0.0.1', resolve));
    const { port } = keyServer.address() as AddressInfo;
    const waiting = await start({ JWT_SECRET: '', JWT_JWKS_URL: `http://127.0.0.1:${port}/keys` });
    const minted = databrain.requests.length;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://issuer.example', aud: 'guest-token', sub: 'u1', org_id: 'acme', exp: now + 600 };
    const jwt = signToken('ES256', privateKey, claims, { kid: 'k1' });

    const probe = await openProbe(
      waiting.port,
      `POST /guest-token HTTP/1.1\r\n${host}X-Request-Id: hung-up\r\nAuthorization: Bearer ${jwt}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => pending.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    probe.socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] };
    for (const response of pending) response.setHeader('content-type', 'application/json').end(JSON.stringify(keys));

    const lines = () => waiting.lines().filter(({ requestId }) => requestId === 'hung-up');
    await until(() => lines().length > 0);
    expect(lines()).toMatchObject([
      { event: 'guest_token.refused', code: 'INVALID_REQUEST', reason: 'caller_gone', sub: 'u1' },
    ]);
    expect(databrain.requests.length).toBe(minted);
    expect(await waiting.stop()).toBe(0);
    await new Promise((resolve) => keyServer.close(resolve));
  });
});

describe('connections', () => {
  const openMany = async (port: number, count: number): Promise<Probe[]> => {
    const probes: Probe[] = [];
    for (let index = 0; index < count; index += 1) probes.push(await openProbe(port));
    return probes;
  };

  it('of one address are limited: the longest idle one is closed for a new one', async () => {
    const one = await start();
    const probes = await openMany(one.port, 1_024);
    const closed = 'guest_token_connections_closed_total{cause="address"}';
    expect(await metric(one, closed)).toBe(0);
    expect((await one.send({ method: 'GET', path: '/livez' })).status).toBe(200);
    await probes[0]?.ended;
    expect(await metric(one, closed)).toBe(1);
    for (const { socket } of probes) socket.destroy();
    await until(() => descriptorsOf(one.pid) < 200);
    expect((await one.send({ method: 'GET', path: '/livez' })).status).toBe(200);
    expect(await one.stop()).toBe(0);
  });

  it('of a trusted proxy are limited only in total', async () => {
    const behind = await start({ TRUST_PROXY: '127.0.0.1' });
    const probes = await openMany(behind.port, 1_536);
    expect(await metric(behind, 'guest_token_connections_closed_total{cause="address"}')).toBe(0);
    expect((await behind.send({ method: 'GET', path: '/livez' })).status).toBe(200);
    expect(await metric(behind, 'guest_token_connections_closed_total{cause="total"}')).toBe(1);
    for (const { socket } of probes) socket.destroy();
    expect(await behind.stop()).toBe(0);
  });

  it('of the admin listener are limited too, and the newest one is answered', async () => {
    const probes = await openMany(program.adminPort, 200);
    expect((await program.send({ method: 'GET', path: '/livez', port: program.adminPort })).status).toBe(200);
    for (const { socket } of probes) socket.destroy();
  });
});
