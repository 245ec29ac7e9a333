// HTTP with further settings: a path prefix, origins of apps and of tenants' subdomains, Host values of the admin
// listener; and the log lines about a missing proxy or origin.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { runProgram, type ProgramResponse, type Program } from '../../support/programs/program.ts';
import { bearer, settingsFor, startDatabrain, startService } from '../../support/programs/sales-service.ts';
import { until } from '../../support/until.ts';

let databrain: SimulatedDatabrain;
let program: Program;

const edge = {
  BASE_PATH: '/bi',
  ADMIN_HOSTS: 'metrics.internal',
  CORS_ORIGINS: 'https://app.example.com,https://*.tenants.example.com,capacitor://localhost',
};

const start = (env: Readonly<Record<string, string>> = {}): Promise<Program> =>
  startService(databrain, { ...edge, ...env });

beforeAll(async () => {
  databrain = await startDatabrain();
  program = await start();
});
afterAll(async () => {
  expect(await program.stop()).toBe(0);
  await databrain.close();
});

/** The response to bytes that are not a request. */
const sendRaw = (port: number, bytes: string | Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('close', () => resolve(text)).on('error', reject);
  });

describe('a path prefix', () => {
  it('is before every public path', async () => {
    expect((await program.send({ path: '/bi/guest-token', headers: bearer() })).status).toBe(200);
    for (const path of ['/bi/livez', '/bi/readyz', '/bi/healthz', '/bi/openapi.yaml', '/bi/guest-token.js']) {
      expect((await program.send({ method: 'GET', path })).status, path).toBe(200);
    }
    const wrong = await program.send({ method: 'GET', path: '/bi/guest-token' });
    expect([wrong.status, wrong.headers['allow']]).toEqual([405, 'POST, OPTIONS']);
  });

  it('removes all paths without it, and requests to them are limited', async () => {
    for (const path of ['/guest-token', '/livez', '/readyz', '/openapi.yaml', '/bi', '/bi/', '/bi/bi/guest-token']) {
      const response = await program.send({ method: 'GET', path });
      expect(response.status, path).toBe(404);
      expect(response.headers['ratelimit'], path).toBeDefined();
    }
    expect((await program.send({ path: '/guest-token', headers: bearer() })).status).toBe(404);
  });

  it('is in the audit line, and healthcheck uses it', async () => {
    await program.send({ path: '/bi/guest-token', headers: { 'x-request-id': 'prefixed' } });
    await until(() => program.lines().some(({ requestId }) => requestId === 'prefixed'));
    const settings = { ...settingsFor(databrain), ...edge, HOST: '127.0.0.1', PORT: String(program.port) };
    expect(await runProgram(programPath(), ['healthcheck'], settings)).toMatchObject({ exitCode: 0 });
    const without = await runProgram(programPath(), ['healthcheck'], { ...settings, BASE_PATH: '' });
    expect(without.exitCode).toBe(1);
  });

  it('is not used on the admin listener', async () => {
    const paths = ['/metrics', '/livez', '/readyz', '/version'];
    for (const path of paths) {
      expect((await program.send({ method: 'GET', path, port: program.adminPort })).status, path).toBe(200);
    }
  });
});

describe('CORS', () => {
  const preflight = (origin: string, names = 'authorization'): Promise<ProgramResponse> =>
    program.send({
      method: 'OPTIONS',
      path: '/bi/guest-token',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': names },
    });

  it.each([
    'https://app.example.com',
    'https://acme.tenants.example.com',
    'https://xn--bcher-kva.tenants.example.com',
    'capacitor://localhost',
  ])('allows %s', async (origin) => {
    expect((await preflight(origin)).headers['access-control-allow-origin']).toBe(origin);
    const refused = await program.send({ path: '/bi/guest-token', headers: { origin } });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, origin]);
  });

  it.each([
    'https://tenants.example.com',
    'https://a.b.tenants.example.com',
    'http://acme.tenants.example.com',
    'https://acme.tenants.example.com:8443',
    'https://acme.tenants.example.com.evil.example',
    'https://eviltenants.example.com',
    'https://evil.example/.tenants.example.com',
    'https://evil@acme.tenants.example.com',
    'https://.tenants.example.com',
    'https://-.tenants.example.com',
    'https://ACME.tenants.example.com',
    'https://*.tenants.example.com',
    'ionic://localhost',
    'capacitor://localhost.evil.example',
  ])('does not allow %s', async (origin) => {
    const { headers } = await preflight(origin);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });

  it('allows an allowed origin any valid header', async () => {
    const tracing = 'authorization,baggage,content-type,sentry-trace,traceparent,tracestate,x-requested-with';
    const allowed = (await preflight('https://app.example.com', tracing)).headers['access-control-allow-headers'];
    expect(String(allowed).toLowerCase().split(', ').sort()).toEqual([...tracing.split(','), 'x-request-id'].sort());
    for (const malformed of ['x y', 'x\u00e9', 'x,,y', 'a'.repeat(3000)]) {
      const response = await preflight('https://app.example.com', malformed);
      expect(response.headers['access-control-allow-headers']).toBe('Authorization, Content-Type, X-Request-Id');
    }
  });
});

describe('the admin listener', () => {
  const statusFor = async (host: string): Promise<number> =>
    (await program.send({ method: 'GET', path: '/metrics', port: program.adminPort, headers: { host } })).status;

  it.each([
    'localhost',
    'LOCALHOST:9090',
    '127.0.0.1',
    '127.0.0.1:1234',
    '[::1]:9090',
    'metrics.internal',
    'metrics.internal:80',
  ])('accepts the name %s', async (host) => expect(await statusFor(host)).toBe(200));

  it.each([
    'evil.example',
    'localhost.evil.example',
    'evil.example:9090',
    '10.0.0.1',
    'internal',
    'metrics.internal.evil',
  ])('refuses the name %s', async (host) => expect(await statusFor(host)).toBe(400));

  it('logs a refused name once, with the way to allow it', async () => {
    for (let count = 0; count < 3; count += 1) await statusFor('rebound.example');
    const warnings = () => program.lines().filter((line) => line['host'] === 'rebound.example');
    await until(() => warnings().length > 0);
    expect(warnings()).toMatchObject([{ level: 'warn', message: expect.stringContaining('ADMIN_HOSTS') as string }]);
  });
});

describe('a missing setting', () => {
  it('is logged once per unknown origin, counted each time, and not logged for the own origin', async () => {
    const origins = ['https://forgotten.example', 'https://forgotten.example', `http://localhost:${program.port}`];
    const before = await program.send({ method: 'GET', path: '/metrics', port: program.adminPort });
    for (const origin of origins) {
      await program.send({ path: '/bi/guest-token', headers: { origin, host: `localhost:${program.port}` } });
    }
    await until(() => program.lines().some((line) => line['origin'] === 'https://forgotten.example'));
    expect(program.lines().filter((line) => line['origin'] === 'https://forgotten.example')).toHaveLength(1);
    expect(program.lines().filter((line) => line['origin'] === origins[2])).toEqual([]);
    const counted = (text: string): number => Number(/^guest_token_unknown_origins_total (\d+)$/m.exec(text)?.[1]);
    const after = await program.send({ method: 'GET', path: '/metrics', port: program.adminPort });
    expect(counted(after.text) - counted(before.text)).toBe(2);
  });

  it('is logged for at most a hundred unknown origins', async () => {
    for (let index = 0; index < 150; index += 1) {
      await program.send({ path: '/bi/guest-token', headers: { origin: `https://flood-${index}.example` } });
    }
    expect(program.lines().filter((line) => 'origin' in line).length).toBeLessThanOrEqual(100);
  });

  it('is logged once for a proxy that is not in TRUST_PROXY, without the address of a client', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    for (let count = 0; count < 3; count += 1) await program.send({ path: '/bi/guest-token', headers });
    await until(() => program.lines().some(({ message }) => message.includes('TRUST_PROXY')));
    const warnings = program.lines().filter(({ message }) => message.includes('TRUST_PROXY'));
    expect(warnings).toMatchObject([{ level: 'warn', header: 'x-forwarded-for', peer: '127.0.0.0/24' }]);
    expect(program.output()).not.toContain('203.0.113.9');

    const behind = await start({ TRUST_PROXY: '127.0.0.1' });
    await behind.send({ path: '/bi/guest-token', headers });
    expect(await behind.stop()).toBe(0);
    expect(behind.output()).not.toContain('TRUST_PROXY');
  });

  it('is logged once for each port at which a load balancer uses another protocol', async () => {
    const hello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
    const proxyV1 = 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 8080\r\nPOST /bi/guest-token HTTP/1.1\r\nHost: a\r\n\r\n';
    const proxyV2 = Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x21, 0x11, 0, 12])]);
    const http2 = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    for (const bytes of [hello, hello, proxyV1, proxyV2, http2]) {
      expect(await sendRaw(program.port, bytes)).toMatch(/^HTTP\/1\.1 [45]\d\d /);
    }
    await sendRaw(program.adminPort, hello);
    const warnings = () => program.lines().filter((line) => 'protocol' in line);
    await until(() => warnings().length === 4);
    expect(warnings().map(({ level, port, protocol }) => [level, port, protocol])).toEqual([
      ['warn', 'PORT', 'TLS'],
      ['warn', 'PORT', 'PROXY protocol'],
      ['warn', 'PORT', 'HTTP/2'],
      ['warn', 'ADMIN_PORT', 'TLS'],
    ]);
    expect(program.output()).not.toContain('203.0.113.9');
  });

  it.each(['JWT_COOKIE_NAME', 'JWT_HEADER_NAME'])('causes a warning of subdomains that can use %s', async (name) => {
    const settings = { ...settingsFor(databrain), ...edge, [name]: 'x-access' };
    const cookies = await startService(databrain, settings);
    const warnings = cookies.lines().filter((line) => line['setting'] === 'CORS_ORIGINS');
    expect(warnings).toMatchObject([{ level: 'warn' }]);
    const checked = await runProgram(programPath(), ['check', '--strict'], settings, cookies.folder);
    expect([checked.exitCode, checked.output]).toEqual([1, expect.stringContaining('CORS_ORIGINS')]);
    expect(await cookies.stop()).toBe(0);
  });
});
