import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createAdminListener, type AdminOptions } from '../../../src/http/admin-listener.ts';
import type { PlaygroundOptions } from '../../../src/http/playground.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { openProbe } from '../../support/socket-probe.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const playground = {
  evaluate: (input: object, now: number) => ({ input, now }),
  start: async () => ({ policy: 'version: 1', tests: '[]' }),
  files: { 'index.html': '<p>', 'page.css': 'p {}', 'page.js': 'void 0', 'policy.schema.json': '{}' },
  now: () => 42,
} as unknown as PlaygroundOptions;

function start(options: Partial<AdminOptions> = {}) {
  const seen: string[] = [];
  const app = createAdminListener({
    logger: createLog({ level: 'silent', sink: { write: () => undefined }, clock: systemClock }).logger,
    clock: systemClock,
    events: {
      onConnectionClosed: (cause) => void seen.push(cause),
      onServerError: (code) => void seen.push(code),
      onUnknownOrigin: (origin) => void seen.push(origin),
      onUntrustedForwarding: (header) => void seen.push(header),
      onOtherProtocol: (port, protocol) => void seen.push(`${port} ${protocol}`),
      onUnknownAdminHost: (host) => void seen.push(host),
    },
    keepAliveTimeoutMs: 5_000,
    hosts: ['admin.example'],
    readiness: () => ({ isReady: false, checks: { policy: 'ok', audit: 'failing' } }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    version: () => ({ version: '1.2.3' }),
    playground,
    ...options,
  });
  apps.push(app);
  const send = (method: 'GET' | 'HEAD' | 'POST' | 'PUT', url: string, headers: object = {}, payload?: object) =>
    app.inject({ method, url, headers: { host: 'localhost', ...headers }, ...(payload && { payload }) });
  return { app, seen, send };
}

describe('the admin listener', () => {
  it('serves metrics, version and health, without caching', async () => {
    const { send } = start();
    const [metrics, version, live, ready, health] = await Promise.all(
      ['/metrics', '/version', '/livez', '/readyz', '/healthz'].map((path) => send('GET', path)),
    );
    expect([metrics?.body, metrics?.headers['content-type']]).toEqual(['up 1\n', 'text/plain; version=0.0.4']);
    expect(version?.json()).toEqual({ version: '1.2.3' });
    expect([live?.statusCode, live?.json()]).toEqual([200, { status: 'ok', checks: {} }]);
    for (const response of [ready, health]) {
      expect([response?.statusCode, response?.json()]).toEqual([
        503,
        { status: 'failing', checks: { policy: 'ok', audit: 'failing' } },
      ]);
    }
    for (const response of [metrics, version, live, ready, health]) {
      expect(response?.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    }
  });

  it('answers 200 when it is ready', async () => {
    const { send } = start({ readiness: () => ({ isReady: true, checks: { policy: 'ok' } }) });
    const response = await send('GET', '/readyz');
    expect([response.statusCode, response.json()]).toEqual([200, { status: 'ok', checks: { policy: 'ok' } }]);
  });

  it('refuses and reports an unknown Host on every path', async () => {
    const { seen, send } = start();
    for (const path of ['/metrics', '/playground/', '/nowhere']) {
      const response = await send('GET', path, { host: 'evil.example' });
      expect([response.statusCode, response.json()]).toMatchObject([400, { error: { code: 'INVALID_REQUEST' } }]);
    }
    expect(seen).toEqual(['evil.example', 'evil.example', 'evil.example']);
    expect((await send('GET', '/version', { host: 'admin.example' })).statusCode).toBe(200);
  });

  it.each([
    ['/metrics', 'GET, HEAD'],
    ['/version', 'GET, HEAD'],
    ['/livez', 'GET, HEAD'],
    ['/playground', 'GET, HEAD'],
    ['/playground/page.js', 'GET, HEAD'],
    ['/playground/start', 'GET, HEAD'],
    ['/playground/evaluate', 'POST'],
  ])('answers 405 with the methods of %s', async (path, allow) => {
    const response = await start().send('PUT', path);
    expect([response.statusCode, response.headers['allow']]).toEqual([405, allow]);
  });

  it('has no playground by default', async () => {
    const { send } = start({ playground: undefined });
    expect((await send('GET', '/playground/')).statusCode).toBe(404);
    expect((await send('POST', '/playground/evaluate', {}, { policy: '', claims: {} })).statusCode).toBe(404);
  });

  it('reports another protocol', async () => {
    const { app, seen } = start();
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const probe = await openProbe(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await probe.ended;
    const other = await openProbe(port, 'nonsense\r\n\r\n');
    await other.ended;
    expect(seen).toEqual(['ADMIN_PORT HTTP/2']);
    expect(other.received()).toContain('HTTP/1.1 400 ');
  });
});

describe('the playground', () => {
  const security = {
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };

  it.each([
    ['/playground/', 'text/html; charset=utf-8', '<p>'],
    ['/playground/index.html', 'text/html; charset=utf-8', '<p>'],
    ['/playground/page.css', 'text/css; charset=utf-8', 'p {}'],
    ['/playground/page.js', 'text/javascript; charset=utf-8', 'void 0'],
    ['/playground/policy.schema.json', 'application/json; charset=utf-8', '{}'],
    ['/playground/start', 'application/json; charset=utf-8', '{"policy":"version: 1","tests":"[]"}'],
  ])('serves %s with its content security policy', async (path, type, body) => {
    const response = await start().send('GET', path);
    expect(response.headers).toMatchObject({ ...security, 'content-type': type });
    expect(response.body).toBe(body);
  });

  it('redirects to its page', async () => {
    const response = await start().send('GET', '/playground');
    expect([response.statusCode, response.headers['location']]).toEqual([308, '/playground/']);
  });

  const input = { policy: 'version: 1', claims: { sub: 'u1' } };

  it('evaluates with the present time', async () => {
    const response = await start().send('POST', '/playground/evaluate', {}, input);
    expect(response.json()).toEqual({ input, now: 42 });
    expect(response.headers).toMatchObject(security);
  });

  it.each([
    { policy: 'version: 1' },
    { claims: {} },
    { ...input, more: 1 },
    { ...input, policy: 1 },
    { ...input, policy: 'x'.repeat(262_145) },
    { ...input, claims: [] },
    { ...input, dataApp: '' },
    { ...input, dataApp: 'x'.repeat(257) },
    { ...input, otherClaims: 'x' },
    { ...input, otherPolicy: 'x'.repeat(262_145) },
    { ...input, tests: 'x'.repeat(262_145) },
  ])('refuses any other input', async (body) => {
    expect((await start().send('POST', '/playground/evaluate', {}, body)).statusCode).toBe(400);
  });

  it('accepts texts of the maximum length', async () => {
    const long = 'x'.repeat(262_144);
    const body = { ...input, policy: long, otherPolicy: long, tests: long, otherClaims: {}, dataApp: 'x'.repeat(256) };
    expect((await start().send('POST', '/playground/evaluate', {}, body)).statusCode).toBe(200);
    const tooLong = { ...input, claims: { text: 'x'.repeat(1_048_576) } };
    expect((await start().send('POST', '/playground/evaluate', {}, tooLong)).statusCode).toBe(413);
  });

  it.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost.evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'http://localhost', 'sec-fetch-site': 'cross-site' },
  ])('serves nothing to a page of another origin: %j', async (headers) => {
    const { send } = start();
    for (const response of [
      await send('GET', '/playground/start', headers),
      await send('POST', '/playground/evaluate', headers, input),
    ]) {
      expect([response.statusCode, response.json()]).toMatchObject([403, { error: { code: 'ORIGIN_NOT_ALLOWED' } }]);
    }
  });

  it.each([
    { origin: 'http://localhost' },
    { origin: 'https://localhost' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    {},
  ])('serves requests of its own page: %j', async (headers) => {
    expect((await start().send('GET', '/playground/start', headers)).statusCode).toBe(200);
  });
});
