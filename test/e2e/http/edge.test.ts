// HTTP, byte by byte: invalid HTTP, slow requests, CORS, request ids, limits by address.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import type { RequestOptions, Program } from '../../support/programs/program.ts';
import { accessToken, bearer, startDatabrain, startService } from '../../support/programs/sales-service.ts';
import { until } from '../../support/until.ts';

const origin = 'https://app.example.com';

let databrain: SimulatedDatabrain;
let program: Program;

const start = (env: Readonly<Record<string, string>>): Promise<Program> =>
  startService(databrain, { CORS_ORIGINS: `${origin},http://localhost:5173`, ...env });

beforeAll(async () => {
  databrain = await startDatabrain();
  program = await start({ RATE_LIMIT_ADDRESS_MAX: '100000', KEEP_ALIVE_TIMEOUT_SECONDS: '5' });
});
afterAll(async () => {
  expect(await program.stop()).toBe(0);
  await databrain.close();
});

interface Raw {
  readonly text: string;
  readonly ms: number;
}

/** Writes bytes and returns the response until the other side closes, or until `enough` milliseconds have passed. */
function raw(bytes: string, enough = 1_000, port = program.port): Promise<Raw> {
  return new Promise((resolve) => {
    const began = Date.now();
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, ms: Date.now() - began });
    };
    const timer = setTimeout(end, enough);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (enough <= 1_000 && text.includes('\r\n\r\n')) setTimeout(end, 20);
    });
    socket.on('close', end);
    socket.on('error', () => undefined);
    socket.write(Buffer.from(bytes, 'latin1'));
  });
}

const line = (text: string): string => text.split('\r\n', 1)[0] ?? '';
const host = 'Host: proxy.example\r\n';

describe('input that is not a valid HTTP/1.1 request', () => {
  const cases: readonly (readonly [title: string, bytes: string, status: number])[] = [
    ['two Host lines', 'POST /guest-token HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['an empty Host line', 'POST /guest-token HTTP/1.1\r\nHost:\r\n\r\n', 400],
    ['an invalid Host', 'GET /livez HTTP/1.1\r\nHost: a b"<>\r\n\r\n', 400],
    ['a Host with a path', 'GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
    ['no Host line', 'GET /livez HTTP/1.1\r\n\r\n', 400],
    ['HTTP/2.0 as version', `GET /livez HTTP/2.0\r\n${host}\r\n`, 505],
    ['HTTP/1.2 as version', `GET /livez HTTP/1.2\r\n${host}\r\n`, 505],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n', 400],
    ['a broken percent escape', `GET /%zz HTTP/1.1\r\n${host}\r\n`, 400],
    ['a path that is not UTF-8', `POST /guest-token%ff HTTP/1.1\r\n${host}\r\n`, 400],
    [
      'two Content-Length headers',
      `POST /guest-token HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      400,
    ],
    [
      'a Content-Length and chunks',
      `POST /guest-token HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['an unknown transfer coding', `POST /guest-token HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\nx`, 400],
    ['CONNECT', `CONNECT a:80 HTTP/1.1\r\n${host}\r\n`, 400],
    ['an invented method', `FOO /guest-token HTTP/1.1\r\n${host}\r\n`, 400],
  ];
  it.each(cases)('%s is refused with a fixed message and a request id', async (_title, bytes, status) => {
    const seen = databrain.requests.length;
    const { text } = await raw(bytes);
    expect(line(text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toMatch(/\r\nX-Request-Id: [0-9a-f-]{36}\r\n/i);
    expect(text).toContain('"code":"INVALID_REQUEST"');
    expect(text).not.toMatch(/fastify|node|undici|at .*\.js/i);
    expect(databrain.requests.length).toBe(seen);
  });

  it.each([
    ['HEAD /readyz', `HEAD /readyz HTTP/1.1\r\n${host}\r\n`, 200],
    ['PROPFIND /guest-token', `PROPFIND /guest-token HTTP/1.1\r\n${host}\r\n`, 405],
    ['TRACE /guest-token', `TRACE /guest-token HTTP/1.1\r\n${host}\r\n`, 405],
    ['HEAD /guest-token', `HEAD /guest-token HTTP/1.1\r\n${host}\r\n`, 405],
    [
      'an upgrade to WebSocket',
      `GET /guest-token HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      405,
    ],
    [
      'an unknown expectation',
      `POST /guest-token HTTP/1.1\r\n${host}Expect: bananas\r\nContent-Length: 0\r\n\r\n`,
      401,
    ],
    ['another letter case', `POST /Guest-Token HTTP/1.1\r\n${host}\r\n`, 404],
    ['an additional slash', `POST /guest-token/ HTTP/1.1\r\n${host}\r\n`, 404],
    ['OPTIONS for another path', `OPTIONS /elsewhere HTTP/1.1\r\n${host}\r\n`, 404],
  ])('%s is answered with %s', async (_title, bytes, status) => {
    const { text } = await raw(bytes);
    expect(line(text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('refuses an encoded spelling of the path with an audit line too', async () => {
    const response = await program.send({ path: '/guest%2Dtoken', headers: { 'x-request-id': 'encoded-path' } });
    expect(response.status).toBe(401);
    const find = () => program.lines().filter(({ requestId }) => requestId === 'encoded-path');
    for (let i = 0; i < 100 && find().length === 0; i += 1) await new Promise((done) => setTimeout(done, 5));
    expect(find()).toMatchObject([{ event: 'guest_token.refused' }]);
  });
});

describe('headers that are too large', () => {
  const usual = `${host}Origin: ${origin}\r\nContent-Length: 0\r\n`;
  it.each([
    ['a cookie of 33 KiB', `${usual}Cookie: a=${'b'.repeat(33 * 1024)}\r\n`],
    ['many headers of 33 KiB together', usual + `X-Padding: ${'c'.repeat(1000)}\r\n`.repeat(34)],
    ['60 KiB, more than the parser takes', `${usual}Cookie: a=${'b'.repeat(60 * 1024)}\r\n`],
    ['300 KiB', `${usual}Cookie: a=${'b'.repeat(300 * 1024)}\r\n`],
    ['an access token over 16 KiB', `${usual}Authorization: Bearer ${'x'.repeat(16_385)}\r\n`],
  ])('%s are refused with a code that a page of an allowed origin can read', async (_title, headers) => {
    const seen = databrain.requests.length;
    const { text } = await raw(`POST /guest-token HTTP/1.1\r\n${headers}\r\n`);
    expect(line(text)).toBe('HTTP/1.1 431 Request Header Fields Too Large');
    expect(text).toContain('"code":"HEADERS_TOO_LARGE"');
    expect(text.toLowerCase()).toContain(`\r\naccess-control-allow-origin: ${origin}\r\n`);
    expect(text.toLowerCase()).toContain('\r\nvary: origin\r\n');
    expect(text.toLowerCase()).not.toContain('\r\nretry-after:');
    expect(databrain.requests.length).toBe(seen);
  });

  it.each([33, 60])('get no CORS headers for a page of another origin, at %i KiB', async (kibibytes) => {
    const { text } = await raw(
      `POST /guest-token HTTP/1.1\r\n${host}Origin: https://evil.example\r\nCookie: a=${'b'.repeat(kibibytes * 1024)}\r\n\r\n`,
    );
    expect(line(text)).toContain(' 431 ');
    expect(text.toLowerCase()).not.toContain('access-control-');
  });

  it('are accepted up to 32 KiB, including a token of 16 KiB', async () => {
    const padding = accessToken({ padding: 'x'.repeat(11_500) });
    expect(padding.length).toBeGreaterThan(15_000);
    const response = await program.send({
      headers: { authorization: `Bearer ${padding}`, cookie: `a=${'b'.repeat(16_000)}`, origin },
    });
    expect(response.status).toBe(200);
  });
});

describe('the request id', () => {
  it.each(['abc', 'A.b_c-1', 'x'.repeat(128)])('is the one of the caller: %s', async (id) => {
    const response = await program.send({ headers: { 'x-request-id': id } });
    expect(response.headers['x-request-id']).toBe(id);
    expect(response.text).toContain(`"requestId":"${id}"`);
  });
  it.each(['', 'a b', 'x'.repeat(129), '<script>', 'a,b', 'ä'])('is generated if the caller’s is %j', async (id) => {
    const response = await program.send({ headers: { 'x-request-id': id } });
    expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('CORS', () => {
  it('answers the preflight of an allowed origin and mints nothing', async () => {
    const seen = databrain.requests.length;
    const response = await program.send({
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });
    expect(response.status).toBe(204);
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'Authorization, Content-Type, X-Request-Id',
      vary: 'Origin',
      allow: 'POST, OPTIONS',
    });
    expect(databrain.requests.length).toBe(seen);
  });

  it('adds its headers to every response to an allowed origin, including refusals', async () => {
    const requests = [
      { headers: { origin } },
      { method: 'GET', headers: { origin } },
      { headers: { origin, authorization: 'Bearer x' } },
      { headers: { origin, ...bearer() } },
      { path: '/nothing', headers: { origin } },
      { headers: { origin, ...bearer(), 'content-type': 'text/plain' }, body: 'x' },
    ];
    for (const one of requests) {
      const { headers } = await program.send(one);
      expect(headers['access-control-allow-origin']).toBe(origin);
      expect(headers['vary']).toBe('Origin');
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it.each(['https://evil.example', 'null', `${origin}.evil.example`, 'https://APP.example.com', `${origin}/`, '*'])(
    'sends no headers to %s',
    async (other) => {
      const { headers } = await program.send({
        method: 'OPTIONS',
        headers: { origin: other, 'access-control-request-method': 'POST' },
      });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
      expect(headers['vary']).toBe('Origin');
    },
  );
});

describe('the limit by address', () => {
  it('counts bad tokens too, before they are checked, and cannot be bypassed with a forwarded header', async () => {
    const limited = await start({ RATE_LIMIT_ADDRESS_MAX: '5' });
    const statuses: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const forwarded = {
        'x-forwarded-for': `10.0.0.${i}`,
        'X-Client-IP': `10.0.1.${i}`,
        forwarded: `for=10.0.2.${i}`,
      };
      const response = await limited.send({ headers: { authorization: 'Bearer nonsense', ...forwarded } });
      statuses.push(response.status);
      if (response.status === 429) expect(Number(response.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    expect((await limited.send({ path: '/nothing' })).status).toBe(429);
    for (let i = 0; i < 10; i += 1) expect((await limited.send({ method: 'GET', path: '/readyz' })).status).toBe(200);
    expect(await limited.stop()).toBe(0);
  });

  it('counts requests that are refused before authentication: a bad Host, a malformed path, large headers', async () => {
    const bad: readonly RequestOptions[] = [
      { headers: { host: 'a b' } },
      { path: '/%zz' },
      { path: '/guest-token%ff' },
      { headers: { cookie: 'c'.repeat(40_000) } },
    ];
    for (const options of bad) {
      const limited = await start({ RATE_LIMIT_ADDRESS_MAX: '3' });
      const statuses: number[] = [];
      for (let i = 0; i < 6; i += 1) statuses.push((await limited.send(options)).status);
      expect(statuses.map((status) => status === 429)).toEqual([false, false, false, true, true, true]);
      expect(await limited.stop()).toBe(0);
    }
  });

  it('counts input that is not a request, and stops answering it at the limit', async () => {
    const limited = await start({ RATE_LIMIT_ADDRESS_MAX: '3' });
    const responses: string[] = [];
    for (let i = 0; i < 6; i += 1) responses.push((await raw('\x16\x03\x01\r\n\r\n', 1_000, limited.port)).text);
    expect(responses.map((text) => text.startsWith('HTTP/1.1 400'))).toEqual([true, true, true, false, false, false]);
    expect(responses.slice(3)).toEqual(['', '', '']);
    expect((await limited.send()).status).toBe(429);
    expect(await limited.stop()).toBe(0);
  });

  it('names the network of a limited address in the audit line', async () => {
    const limited = await start({ RATE_LIMIT_ADDRESS_MAX: '1', TRUST_PROXY: '127.0.0.1' });
    for (const forwarded of ['203.0.113.77', '2001:db8:1:2::3']) {
      for (let i = 0; i < 2; i += 1) await limited.send({ headers: { 'x-forwarded-for': forwarded } });
    }
    await until(() => limited.lines().filter(({ reason }) => reason === 'address_limit').length === 2);
    const lines = limited.lines().filter(({ reason }) => reason === 'address_limit');
    expect(lines.map((entry) => entry['address'])).toEqual(['203.0.113.0/24', '2001:db8:1::/48']);
    expect(limited.output()).not.toContain('203.0.113.77');
    expect(await limited.stop()).toBe(0);
  });

  it('uses the client address from a configured proxy, and counts IPv6 clients by /64', async () => {
    const behind = await start({ RATE_LIMIT_ADDRESS_MAX: '2', TRUST_PROXY: '127.0.0.1' });
    const statusFor = async (address: string): Promise<number> =>
      (await behind.send({ headers: { 'x-forwarded-for': address } })).status;
    expect([await statusFor('203.0.113.1'), await statusFor('203.0.113.1'), await statusFor('203.0.113.1')]).toEqual([
      401, 401, 429,
    ]);
    expect(await statusFor('198.51.100.9, 203.0.113.1')).toBe(429);
    expect(await statusFor('203.0.113.2')).toBe(401);
    expect([await statusFor('2001:db8::1'), await statusFor('2001:db8::2'), await statusFor('2001:db8::3')]).toEqual([
      401, 401, 429,
    ]);
    expect(await statusFor('2001:db8:0:1::1')).toBe(401);
    expect(await behind.stop()).toBe(0);
  });

  it('is separate from the limit of each user', async () => {
    const limited = await start({ RATE_LIMIT_USER_MAX: '2' });
    const statusOf = async (sub: string): Promise<number> =>
      (await limited.send({ headers: bearer({ sub, jti: Math.random() }) })).status;
    expect([
      await statusOf('a'),
      await statusOf('a'),
      await statusOf('a'),
      await statusOf('A'),
      await statusOf('b'),
    ]).toEqual([200, 200, 429, 200, 200]);
    expect(limited.lines().filter(({ reason }) => reason === 'user_limit')).toHaveLength(1);
    expect(await limited.stop()).toBe(0);
  });
});
