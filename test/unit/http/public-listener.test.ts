// The steps of a request through the public listener, on real sockets in this process. test/e2e tests the program.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import {
  accessToken,
  allowedOrigin,
  apiKey,
  cookieName,
  startService,
  type RequestOptions,
  type RunningService,
} from '../../contract/api/running-service.ts';
import { openProbe } from '../../support/socket-probe.ts';
import { until } from '../../support/until.ts';

let databrain: SimulatedDatabrain;
const services: RunningService[] = [];
beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, rateLimit: 'off' });
});
afterEach(async () => {
  await Promise.all(services.splice(0).map(({ stop }) => stop()));
});
afterAll(() => databrain.close());

type Line = Readonly<Record<string, unknown>>;

async function start(settings: Readonly<Record<string, string>> = {}) {
  const lines: Line[] = [];
  const service = await startService({
    databrainUrl: databrain.url,
    settings: { SHUTDOWN_GRACE_SECONDS: '1', ...settings },
    log: (line) => lines.push(JSON.parse(line) as Line),
  });
  services.push(service);
  const audit = () => lines.filter(({ event }) => event !== undefined);
  const metric = async (name: string): Promise<number> => {
    const { body } = await service.send({ listener: 'admin', method: 'GET', path: '/metrics' });
    const line = body.split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.split(' ')[1]);
  };
  return { ...service, lines, audit, metric };
}

const bearer = (claims = {}) => ({ authorization: `Bearer ${accessToken(claims)}` });
const json = { 'content-type': 'application/json' };
const codeOf = (body: string): unknown => (JSON.parse(body) as { error: { code: string } }).error.code;

describe('a request for a guest token', () => {
  it('returns a token, its lifetime and its grant, and writes one audit line', async () => {
    const { send, audit, metric } = await start();
    const mintedBefore = databrain.requests.length;
    const { status, headers, body } = await send({ headers: { ...bearer(), 'x-request-id': 'r-1' } });
    expect([status, Object.keys(JSON.parse(body) as object)]).toEqual([200, ['token']]);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r-1',
      vary: 'Origin',
    });
    expect(Number(headers['guest-token-expires-in'])).toBeGreaterThan(3_500);
    expect(headers['guest-token-grant']).toMatch(/^[\w-]{10,}$/);
    expect(databrain.requests.length).toBe(mintedBefore + 1);
    expect(audit()).toHaveLength(1);
    expect(audit()[0]).toMatchObject({
      event: 'guest_token.issued',
      requestId: 'r-1',
      iss: 'https://login.example.com/',
      sub: 'u1',
      dataApp: 'sales-dashboard',
      clientId: 'acme',
      policyRevision: expect.stringMatching(/^[0-9a-f]{12}$/) as unknown,
      reused: false,
    });
    const { durationMs } = audit()[0] ?? {};
    expect(Number(durationMs)).toBeGreaterThan(0);
    expect(Number(durationMs)).toBeLessThan(10_000);
    expect(await metric('guest_token_requests_total{code="ISSUED"}')).toBe(1);
    expect(await metric('guest_token_request_duration_seconds_count')).toBe(1);
    expect(await metric('guest_token_request_duration_seconds_sum')).toBeLessThan(10);
  });

  it.each<readonly [string, RequestOptions, number, string, string, Line]>([
    ['without a credential', {}, 401, 'AUTHENTICATION_REQUIRED', 'credentials_missing', {}],
    [
      'with a token of an unknown issuer',
      { headers: bearer({ iss: 'https://evil.example' }) },
      401,
      'INVALID_TOKEN',
      'issuer_refused',
      {},
    ],
    [
      'of a user whom the policy refuses',
      { headers: bearer({ email_verified: false }) },
      403,
      'ACCESS_DENIED',
      'validation_refused',
      { sub: 'u1', iss: 'https://login.example.com/', dataApp: 'sales-dashboard' },
    ],
    [
      'for an unknown data app',
      { headers: { ...bearer(), ...json }, body: '{"dataApp":"finance"}' },
      403,
      'DATA_APP_NOT_ALLOWED',
      'data_app_unknown',
      { sub: 'u1' },
    ],
    [
      'with a body that is not JSON',
      { headers: { ...bearer(), ...json }, body: '{' },
      400,
      'INVALID_REQUEST',
      'body_malformed',
      { sub: 'u1' },
    ],
    [
      'with a repeated name in its body',
      { headers: { ...bearer(), ...json }, body: '{"dataApp":"a","dataApp":"a"}' },
      400,
      'INVALID_REQUEST',
      'body_malformed',
      {},
    ],
    [
      'with an unknown member',
      { headers: { ...bearer(), ...json }, body: '{"clientId":"x"}' },
      400,
      'INVALID_REQUEST',
      'body_malformed',
      {},
    ],
    [
      'with a list as body',
      { headers: { ...bearer(), ...json }, body: '[]' },
      400,
      'INVALID_REQUEST',
      'body_malformed',
      {},
    ],
    [
      'with an empty name',
      { headers: { ...bearer(), ...json }, body: '{"dataApp":""}' },
      400,
      'INVALID_REQUEST',
      'body_malformed',
      {},
    ],
    [
      'with a long name',
      { headers: { ...bearer(), ...json }, body: JSON.stringify({ dataApp: 'x'.repeat(257) }) },
      400,
      'INVALID_REQUEST',
      'body_malformed',
      {},
    ],
    [
      'with a large body',
      { headers: { ...bearer(), ...json }, body: `{"dataApp":"${'x'.repeat(4_096)}"}` },
      413,
      'BODY_TOO_LARGE',
      'body_too_large',
      {},
    ],
    [
      'with a body of another type',
      { headers: { ...bearer(), 'content-type': 'text/plain' }, body: '{}' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'media_type',
      {},
    ],
    [
      'with a cookie from an unknown page',
      { headers: { cookie: `${cookieName}=${accessToken()}` } },
      403,
      'ORIGIN_NOT_ALLOWED',
      'origin_refused',
      {},
    ],
    ['by another method', { method: 'PUT' }, 405, 'METHOD_NOT_ALLOWED', 'method', {}],
    [
      'with headers of more than 32 KiB',
      { headers: { 'x-large': 'x'.repeat(33_000) } },
      431,
      'HEADERS_TOO_LARGE',
      'headers_too_large',
      {},
    ],
    [
      'at a path in another spelling',
      { path: '/guest%2dtoken?x=1' },
      401,
      'AUTHENTICATION_REQUIRED',
      'credentials_missing',
      {},
    ],
  ])(
    '%s is refused with one audit line, and nothing is minted',
    async (_title, options, status, code, reason, verified) => {
      const { send, audit, metric } = await start();
      const mintedBefore = databrain.requests.length;
      const response = await send(options);
      expect([response.status, codeOf(response.body)]).toEqual([status, code]);
      expect(response.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
      expect(audit()).toMatchObject([
        { event: 'guest_token.refused', code, reason, requestId: response.headers['x-request-id'], ...verified },
      ]);
      expect(databrain.requests.length).toBe(mintedBefore);
      expect(await metric(`guest_token_refusals_total{reason="${reason}"}`)).toBe(1);
      expect(await metric(`guest_token_requests_total{code="${code}"}`)).toBe(1);
    },
  );

  it.each(['', '{}', '{"dataApp":"sales-dashboard"}'])('may have the body %j', async (body) => {
    const { send } = await start();
    expect((await send({ headers: { ...bearer(), ...json }, body })).status).toBe(200);
  });

  it('is refused with the claim and the position, but without the value', async () => {
    const { send, audit, lines } = await start();
    await send({ headers: bearer({ org_id: 'quote"quote' }) });
    expect(audit()).toMatchObject([
      { code: 'ACCESS_DENIED', position: expect.stringMatching(/policy\.yaml:\d+:\d+$/) as unknown, sub: 'u1' },
    ]);
    expect(JSON.stringify(lines)).not.toContain('quote');
  });

  it('is refused with the message that the policy contains', async () => {
    const { send } = await start();
    expect((await send({ headers: bearer({ email_verified: false }) })).body).toContain('Verify your e-mail address');
  });

  it('of a user over the limit is refused with the time to wait', async () => {
    const { send, audit, metric } = await start({ RATE_LIMIT_USER_MAX: '1' });
    const first = await send({ headers: bearer() });
    expect(first.headers['ratelimit-policy']).toBe('"address";q=600;w=60, "user";q=1;w=60');
    expect((await send({ headers: bearer({ sub: 'u2' }) })).status).toBe(200);
    const { status, headers } = await send({ headers: bearer() });
    expect([status, Number(headers['retry-after'])]).toEqual([429, expect.closeTo(60, -1)]);
    expect(audit().at(-1)).toMatchObject({ code: 'RATE_LIMITED', reason: 'user_limit', sub: 'u1' });
    expect(await metric('guest_token_rate_limited_total{limit="user"}')).toBe(1);
  });

  it('of an address over the limit is refused, except health probes', async () => {
    const { send, audit, metric } = await start({ RATE_LIMIT_ADDRESS_MAX: '1' });
    expect((await send({ headers: bearer() })).status).toBe(200);
    for (const options of [{ headers: bearer() }, { method: 'GET', path: '/nowhere' }, { path: '/%zz' }]) {
      expect((await send(options)).status).toBe(429);
    }
    expect((await send({ method: 'POST', path: '/livez' })).status).toBe(429);
    for (const method of ['GET', 'HEAD']) expect((await send({ method, path: '/livez' })).status).toBe(200);
    expect(audit().at(-1)).toMatchObject({ code: 'RATE_LIMITED', reason: 'address_limit', address: '127.0.0.0/24' });
    expect(await metric('guest_token_rate_limited_total{limit="address"}')).toBe(4);
  });
});

describe('the other paths', () => {
  it('are refused without an audit line if they are unknown', async () => {
    const { send, audit } = await start();
    const response = await send({ method: 'GET', path: '/nowhere' });
    expect([response.status, codeOf(response.body), response.headers['allow']]).toEqual([404, 'NOT_FOUND', undefined]);
    expect(audit()).toEqual([]);
  });

  it.each([
    ['/guest-token', 'POST, OPTIONS'],
    ['/guest-token?x=1', 'POST, OPTIONS'],
    ['/livez', 'GET, HEAD'],
    ['/openapi.yaml', 'GET, HEAD'],
    ['/guest-token.js', 'GET, HEAD'],
  ])('answer 405 with their methods: %s', async (path, allow) => {
    const { send } = await start();
    const { status, headers } = await send({ method: 'PUT', path });
    expect([status, headers['allow']]).toEqual([405, allow]);
  });

  it('serve the API description and the browser helper', async () => {
    const { send } = await start();
    const description = await send({ method: 'GET', path: '/openapi.yaml' });
    expect(description.headers['content-type']).toBe('application/yaml; charset=utf-8');
    expect(description.body).toMatch(/^openapi: /m);
    const helper = await send({ method: 'GET', path: '/guest-token.js' });
    expect(helper.headers['content-type']).toBe('text/javascript; charset=utf-8');
  });

  it('are all below BASE_PATH', async () => {
    const { send } = await start({ BASE_PATH: '/bi' });
    expect((await send({ path: '/bi/guest-token', headers: bearer() })).status).toBe(200);
    for (const path of ['/bi/livez', '/bi/readyz', '/bi/healthz', '/bi/openapi.yaml', '/bi/guest-token.js']) {
      expect((await send({ method: 'GET', path })).status).toBe(200);
    }
    for (const path of ['/guest-token', '/livez', '/openapi.yaml', '/guest-token.js']) {
      expect((await send({ method: 'GET', path })).status).toBe(404);
    }
    expect((await send({ method: 'PUT', path: '/bi/guest-token' })).headers['allow']).toBe('POST, OPTIONS');
  });

  it('with invalid escapes are refused', async () => {
    const { send } = await start();
    const { status, headers, body } = await send({ path: '/%zz', headers: { origin: allowedOrigin } });
    expect([status, codeOf(body)]).toEqual([400, 'INVALID_REQUEST']);
    expect(headers).toMatchObject({
      'access-control-allow-origin': allowedOrigin,
      'x-content-type-options': 'nosniff',
    });
  });
});

describe('pages', () => {
  it('of an allowed origin can read every response', async () => {
    const { send } = await start();
    const headers = { origin: allowedOrigin };
    for (const options of [{ headers: { ...headers, ...bearer() } }, { headers }, { path: '/nowhere', headers }]) {
      expect((await send(options)).headers).toMatchObject({
        'access-control-allow-origin': allowedOrigin,
        'access-control-allow-credentials': 'true',
      });
    }
  });

  it('may send a preflight request', async () => {
    const { send, audit } = await start();
    const headers = { origin: allowedOrigin, 'access-control-request-headers': 'x-app' };
    const response = await send({ method: 'OPTIONS', headers });
    expect([response.status, response.body]).toEqual([204, '']);
    expect(response.headers).toMatchObject({
      allow: 'POST, OPTIONS',
      'cache-control': 'no-store',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'Authorization, Content-Type, X-Request-Id, x-app',
    });
    const { headers: others } = await send({ method: 'OPTIONS', headers: { origin: 'https://evil.example' } });
    expect(others['access-control-allow-methods']).toBeUndefined();
    expect(audit()).toEqual([]);
  });

  it('of an unknown origin are counted, and logged once', async () => {
    const { send, lines, metric } = await start();
    const headers = { origin: 'https://evil.example' };
    await send({ headers });
    await send({ headers });
    expect(lines.filter(({ origin }) => origin === 'https://evil.example')).toHaveLength(1);
    expect(await metric('guest_token_unknown_origins_total')).toBe(2);
  });

  it("of the service's own origin are not counted as unknown", async () => {
    const { send, port, metric } = await start();
    const origin = `http://127.0.0.1:${port}`;
    expect((await send({ headers: { origin, cookie: `${cookieName}=${accessToken()}` } })).status).toBe(200);
    expect((await send({ headers: { origin: allowedOrigin } })).status).toBe(401);
    expect((await send({})).status).toBe(401);
    expect(await metric('guest_token_unknown_origins_total')).toBe(0);
  });
});

describe('a reverse proxy', () => {
  it.each(['x-forwarded-for', 'forwarded', 'x-real-ip'])(
    'that is not in TRUST_PROXY is not trusted: %s',
    async (header) => {
      const { send, lines, audit } = await start({ RATE_LIMIT_ADDRESS_MAX: '1' });
      await send({ headers: { [header]: '192.0.2.1' } });
      expect((await send({ headers: { [header]: '192.0.2.2' } })).status).toBe(429);
      expect(audit().at(-1)).toMatchObject({ address: '127.0.0.0/24' });
      const warned = lines.filter((line) => line['header'] === header);
      expect(warned).toMatchObject([{ level: 'warn', peer: '127.0.0.0/24' }]);
    },
  );

  it('that is in TRUST_PROXY is trusted: its clients are counted separately', async () => {
    const { send, lines } = await start({ RATE_LIMIT_ADDRESS_MAX: '1', TRUST_PROXY: '127.0.0.1' });
    const statuses = [];
    for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) {
      statuses.push((await send({ headers: { 'x-forwarded-for': client } })).status);
    }
    expect(statuses).toEqual([401, 401, 429]);
    expect(lines.filter((line) => line['header'] !== undefined)).toEqual([]);
  });
});

describe('input that is not a request', () => {
  it('is counted and answered with CORS headers, until the address limit is reached', async () => {
    const { port, metric, lines } = await start({ RATE_LIMIT_ADDRESS_MAX: '2' });
    const responses: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const probe = await openProbe(port, `GET / HTTP/9.9\r\nOrigin: ${allowedOrigin}\r\n\r\n`);
      await probe.ended;
      responses.push(probe.received());
      probe.socket.destroy();
    }
    expect(responses.map((text) => text.slice(0, 12))).toEqual(['HTTP/1.1 505', 'HTTP/1.1 505', '']);
    expect(responses[0]).toContain(`access-control-allow-origin: ${allowedOrigin}`);
    expect(await metric('guest_token_protocol_errors_total')).toBe(3);
    expect(lines.filter(({ protocol }) => protocol !== undefined)).toEqual([]);
  });

  it('is logged once with the name of the protocol, if it is another one', async () => {
    const { port, lines } = await start();
    for (let count = 0; count < 2; count += 1) {
      const probe = await openProbe(port, Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
      await probe.ended;
      probe.socket.destroy();
    }
    expect(lines.filter(({ protocol }) => protocol !== undefined)).toMatchObject([{ port: 'PORT', protocol: 'TLS' }]);
  });

  it('is counted, and its connection is closed, if too many requests arrive at once', async () => {
    const { port, metric } = await start();
    const probe = await openProbe(port, 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20));
    await probe.ended;
    expect(await metric('guest_token_connections_closed_total{cause="pipelining"}')).toBe(1);
  });

  it.each([
    ['GET /livez HTTP/1.1\r\n\r\n', 400],
    ['GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['GET /livez HTTP/1.0\r\n\r\n', 200],
    ['GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ])('is answered according to its Host: %j', async (bytes, status) => {
    const { port } = await start();
    const probe = await openProbe(port, bytes);
    await until(() => probe.received().includes('\r\n\r\n'));
    expect(probe.received()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    probe.socket.destroy();
  });
});

describe('a draining service', () => {
  it('serves requests, reports that it is not ready, and closes each connection after its response', async () => {
    const { port, send, stop } = await start({ SHUTDOWN_DRAIN_SECONDS: '1' });
    const request = `POST /guest-token HTTP/1.1\r\nHost: a\r\nAuthorization: ${bearer().authorization}\r\nContent-Length: 0\r\n\r\n`;
    const before = await openProbe(port, request);
    await until(() => before.received().includes('"token"'));
    expect(before.received().toLowerCase()).not.toContain('connection: close');
    services.splice(0);
    const stopped = stop();
    const probe = await openProbe(port, request);
    await probe.ended;
    expect(probe.received()).toMatch(/^HTTP\/1\.1 200 /);
    expect(probe.received().toLowerCase()).toContain('connection: close');
    const ready = await send({ method: 'GET', path: '/readyz' });
    expect([ready.status, JSON.parse(ready.body)]).toMatchObject([503, { checks: { accepting: 'failing' } }]);
    before.socket.destroy();
    await stopped;
  });
});

describe('the number of headers', () => {
  const withHeaders = async (count: number, last: string): Promise<string> => {
    const { port } = await start();
    const others = Array.from({ length: count - 2 }, (_, index) => `x-${index}: 1\r\n`).join('');
    const probe = await openProbe(port, `POST /guest-token HTTP/1.1\r\nHost: a\r\n${others}${last}\r\n\r\n`);
    await until(() => probe.received().includes('"}}') || probe.received().includes('"token"'));
    probe.socket.destroy();
    return probe.received().slice(0, 12);
  };

  it('may be 128, all of which are read', async () => {
    expect(await withHeaders(128, `Authorization: ${bearer().authorization}`)).toBe('HTTP/1.1 200');
  });

  it.each([129, 130, 200, 400])(
    'must not be %i, because the parser might drop the header that would cause a refusal',
    async (count) => {
      expect(await withHeaders(count, `Authorization: ${bearer().authorization}`)).toBe('HTTP/1.1 431');
    },
  );
});

describe('a caller who disconnects', () => {
  it('during the body is written to the audit log, with the user', async () => {
    const { port, audit } = await start();
    const head = `POST /guest-token HTTP/1.1\r\nHost: a\r\nAuthorization: ${bearer().authorization}\r\n`;
    const probe = await openProbe(port, `${head}Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    probe.socket.resetAndDestroy();
    await until(() => audit().length > 0);
    expect(audit()).toMatchObject([{ event: 'guest_token.refused', code: 'INVALID_REQUEST', sub: 'u1' }]);
  });
});
