// Makes the running service send every code of the error table, and every other response that openapi.yaml describes.
import { connect } from 'node:net';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { systemClock } from '../../../src/clock.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { httpResponse, startFaultyUpstream, type Script } from '../../support/servers/faulty-upstream.ts';
import type { Observed } from './conformance.ts';
import {
  accessToken,
  allowedOrigin,
  apiKey,
  cookieName,
  startService,
  type RequestOptions,
  type RunningService,
} from './running-service.ts';

type Claims = Readonly<Record<string, unknown>>;

const bearer = (claims: Claims = {}): Record<string, string> => ({ authorization: `Bearer ${accessToken(claims)}` });
const json = { 'content-type': 'application/json' };
const now = (): number => Math.floor(Date.now() / 1000);

export const startDatabrain = (): Promise<SimulatedDatabrain> =>
  startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, rateLimit: 'off' });

interface Scene {
  readonly service: RunningService;
  readonly databrain: SimulatedDatabrain;
}

/** Starts a service and a simulated Databrain, runs the function, and stops both. */
async function withService<T>(
  settings: Readonly<Record<string, string>>,
  play: (scene: Scene) => Promise<T>,
  clock = systemClock,
): Promise<T> {
  const databrain = await startDatabrain();
  const service = await startService({ databrainUrl: databrain.url, settings, clock });
  try {
    return await play({ service, databrain });
  } finally {
    await service.stop();
    await databrain.close();
  }
}

/** The response to a normal request, with a scripted upstream. */
async function withUpstream(script: Script, settings: Readonly<Record<string, string>> = {}): Promise<Observed> {
  const upstream = await startFaultyUpstream(script);
  const service = await startService({
    databrainUrl: upstream.baseUrl,
    settings: { DATABRAIN_MAX_RETRIES: '0', ...settings },
  });
  try {
    return await service.send({ headers: { ...bearer(), origin: allowedOrigin } });
  } finally {
    await service.stop();
    await upstream.close();
  }
}

/** From an allowed origin, so that the response has all possible headers. */
const requesting = (options: RequestOptions) => (): Promise<Observed> =>
  withService({}, ({ service }) =>
    service.send({ ...options, headers: { origin: allowedOrigin, ...options.headers } }),
  );

/** A request whose head begins before the service stops, and ends when it accepts no new requests. */
async function requestWhileStopping(): Promise<Observed> {
  const databrain = await startDatabrain();
  // Longer than the wait below, or the connection may be cut off first.
  const settings = { SHUTDOWN_GRACE_SECONDS: '10' };
  const service = await startService({ databrainUrl: databrain.url, settings });
  const socket = connect(service.port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write('POST /guest-token HTTP/1.1\r\nHost: proxy\r\n');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stopped = service.stop();
  // Longer than late requests are served.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const head = { ...bearer(), origin: allowedOrigin, 'content-length': '0' };
  socket.write(
    `${Object.entries(head)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n`,
  );
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  await stopped;
  await databrain.close();
  const [given] = parseResponses(text, { method: 'POST', path: '/guest-token' });
  if (given === undefined) throw new Error('the connection was closed without a response');
  return given;
}

/** Reads HTTP/1.1 answers of known length, one after the other, from text; each is a response to the given request. */
export function parseResponses(text: string, { method, path }: Pick<Observed, 'method' | 'path'>): readonly Observed[] {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return [];
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(statusLine.split(' ')[1]);
  const length = method === 'HEAD' ? 0 : Number(headers['content-length'] ?? '0');
  const rest = Buffer.from(text.slice(end + 4));
  const body = rest.subarray(0, length).toString('utf8');
  const first: Observed = { method, path, listener: 'public', status, headers, body };
  return [first, ...parseResponses(rest.subarray(length).toString('utf8'), { method: '', path: '' })];
}

function brokenClock() {
  const state = { broken: false };
  const now = (): number => {
    if (state.broken) throw new Error(`the clock fell down, holding ${apiKey}`);
    return systemClock.now();
  };
  return { state, clock: { ...systemClock, now } };
}

export const provocations = {
  INVALID_REQUEST: requesting({ headers: { ...bearer(), ...json }, body: '{"dataApp":1}' }),
  AUTHENTICATION_REQUIRED: requesting({}),
  INVALID_TOKEN: requesting({ headers: { authorization: 'Bearer x.y.z' } }),
  TOKEN_EXPIRED: requesting({ headers: bearer({ iat: now() - 4000, exp: now() - 400 }) }),
  ACCESS_DENIED: requesting({ headers: bearer({ email_verified: false }) }),
  DATA_APP_NOT_ALLOWED: requesting({ headers: { ...bearer(), ...json }, body: '{"dataApp":"finance"}' }),
  ORIGIN_NOT_ALLOWED: () =>
    withService({}, ({ service }) =>
      service.send({ headers: { cookie: `${cookieName}=${accessToken()}`, origin: 'https://evil.example' } }),
    ),
  NOT_FOUND: requesting({ method: 'GET', path: '/nowhere' }),
  METHOD_NOT_ALLOWED: requesting({ method: 'GET' }),
  BODY_TOO_LARGE: requesting({
    headers: { ...bearer(), ...json },
    body: JSON.stringify({ dataApp: 'x'.repeat(4096) }),
  }),
  UNSUPPORTED_MEDIA_TYPE: requesting({ headers: { ...bearer(), 'content-type': 'text/plain' }, body: '{}' }),
  HEADERS_TOO_LARGE: requesting({ headers: { authorization: `Bearer ${'x'.repeat(16_385)}` } }),
  RATE_LIMITED: () =>
    withService({ RATE_LIMIT_USER_MAX: '1' }, async ({ service }) => {
      const headers = { ...bearer(), origin: allowedOrigin };
      await service.send({ headers });
      return service.send({ headers });
    }),
  INTERNAL_ERROR: () => {
    const { state, clock } = brokenClock();
    const play = async ({ service }: Scene): Promise<Observed> => {
      state.broken = true;
      const observed = await service.send({ headers: { ...bearer(), origin: allowedOrigin } });
      state.broken = false;
      return observed;
    };
    return withService({}, play, clock);
  },
  UPSTREAM_REJECTED: () =>
    withService({}, async ({ service, databrain }) => {
      databrain.refuseNext('AUTHENTICATION_ERROR');
      return service.send({ headers: { ...bearer(), origin: allowedOrigin } });
    }),
  UPSTREAM_INVALID_RESPONSE: () =>
    withUpstream((_request, socket) =>
      socket.write(httpResponse(200, '<p>hello</p>', { 'content-type': 'text/html' })),
    ),
  UPSTREAM_UNAVAILABLE: () => withUpstream((_request, socket) => socket.write(httpResponse(503, ''))),
  AUTHENTICATION_UNAVAILABLE: () =>
    withService({ JWT_SECRET: '', JWT_JWKS_URL: 'http://127.0.0.1:1/jwks.json' }, ({ service }) =>
      service.send({ headers: { authorization: `Bearer ${publicKeyToken}`, origin: allowedOrigin } }),
    ),
  AUDIT_UNAVAILABLE: async () => {
    const databrain = await startDatabrain();
    const service = await startService({ databrainUrl: databrain.url, sink: { write: () => undefined } });
    const observed = await service.send({ headers: { ...bearer(), origin: allowedOrigin } });
    await service.stop();
    await databrain.close();
    return observed;
  },
  SHUTTING_DOWN: requestWhileStopping,
  UPSTREAM_TIMEOUT: () => withUpstream(() => undefined, { DATABRAIN_TIMEOUT_MS: '200', DATABRAIN_DEADLINE_MS: '300' }),
} as const satisfies Readonly<Record<ErrorCode, () => Promise<Observed>>>;

/** A well-formed token with an unknown key, because the issuer's keys could not be fetched. */
const publicKeyToken = (() => {
  const [, payload = ''] = accessToken().split('.');
  const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'k1', typ: 'JWT' })).toString('base64url');
  return `${header}.${payload}.${Buffer.alloc(256, 1).toString('base64url')}`;
})();

/** All other described responses: successes, failing probes, limits of every public path. */
export async function observeOthers(): Promise<readonly Observed[]> {
  const origin = { origin: allowedOrigin };
  const reads: readonly RequestOptions[] = ['GET', 'HEAD'].flatMap((method) => [
    ...['/livez', '/readyz', '/healthz', '/openapi.yaml', '/guest-token.js'].map((path): RequestOptions => ({
      method,
      path,
      headers: origin,
    })),
    { method, path: '/guest-token.js', headers: { ...origin, 'if-none-match': '*' } },
    ...['/livez', '/readyz', '/healthz', '/metrics', '/version'].map((path): RequestOptions => ({
      method,
      path,
      listener: 'admin',
    })),
  ]);
  const badPreflights: readonly RequestOptions[] = [
    { method: 'OPTIONS', headers: { ...origin, 'content-type': 'text/plain' }, body: 'x' },
    { method: 'OPTIONS', headers: { ...origin, ...json }, body: 'x' },
    { method: 'OPTIONS', headers: { ...origin, ...json }, body: `"${'x'.repeat(4096)}"` },
  ];
  const preflight: RequestOptions = {
    method: 'OPTIONS',
    headers: { ...origin, 'access-control-request-method': 'POST' },
  };

  const healthy = await withService({}, ({ service }) =>
    Promise.all(
      [...reads, preflight, ...badPreflights, { headers: { ...bearer(), ...origin } }, { headers: bearer() }].map(
        service.send,
      ),
    ),
  );
  const withoutKeys = await withService(
    { JWT_SECRET: '', JWT_JWKS_URL: 'http://127.0.0.1:1/jwks.json' },
    ({ service }) => Promise.all(reads.map(service.send)),
  );
  const limited = await withService({ RATE_LIMIT_ADDRESS_MAX: '1' }, async ({ service }) => {
    await service.send({});
    const open = [preflight, ...reads, { headers: origin }, { method: 'GET', path: '/nowhere', headers: origin }];
    return Promise.all(open.map(service.send));
  });
  return [...healthy, ...withoutKeys, ...limited];
}
