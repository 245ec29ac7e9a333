// Cookie credentials on the built program: from which pages they are accepted, with the headers that a browser sends.
import { connect } from 'node:net';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { startProgram, type LogLine, type Program } from '../../support/programs/program.ts';
import { signToken } from '../../support/sign-token.ts';
import { until } from '../../support/until.ts';
import { salesPolicy } from '../../support/sales-policy.ts';

const apiKey = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f12';
const secret = 'the secret that signs in the tests of cookies';
const claims = {
  iss: 'https://issuer.example',
  aud: 'me',
  sub: 'u1',
  org_id: 'acme',
  exp: Math.floor(Date.now() / 1000) + 600,
};
const token = signToken('HS256', secret, claims);
const cookie = `theme=dark; session=${token}`;

let databrain: SimulatedDatabrain;
let program: Program;

/** The program with the usual settings, which most tests share. */
let usual: Program;
/** The ids of this test's requests. */
let ids: string[];

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  usual = await startWith({});
});
beforeEach(() => {
  program = usual;
  ids = [];
});
afterEach(async () => {
  if (program !== usual) await program.stop();
});
afterAll(async () => {
  await usual.stop();
  await databrain.close();
});

const refusals = (): readonly LogLine[] =>
  program.lines().filter(({ event, requestId = '' }) => event === 'guest_token.refused' && ids.includes(requestId));

const start = async (env: Record<string, string>): Promise<void> => {
  program = await startWith(env);
};
const startWith = async (env: Record<string, string>): Promise<Program> =>
  startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: claims.iss,
      JWT_AUDIENCE: claims.aud,
      JWT_SECRET: secret,
      JWT_COOKIE_NAME: 'session',
      CORS_ORIGINS: 'https://app.example',
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
      ...env,
    },
    files: { 'policy.yaml': salesPolicy },
  });

const outcome = async (headers: Record<string, string>): Promise<string> => {
  const before = databrain.requests.length;
  const id = randomUUID();
  ids.push(id);
  const { status, text } = await program.send({ headers: { cookie, 'x-request-id': id, ...headers } });
  await until(() => program.lines().some(({ requestId }) => requestId === id));
  const minted = databrain.requests.length - before;
  if (status === 200) return '200';
  expect(minted).toBe(0);
  return `${status} ${(JSON.parse(text) as { error: { code: string } }).error.code}`;
};

describe('a cookie', () => {
  it('is accepted from allowed origins, from the own origin, and from the same origin by Fetch Metadata', async () => {
    expect(await outcome({ origin: 'https://app.example' })).toBe('200');
    expect(await outcome({ host: 'tokens.example', origin: 'http://tokens.example' })).toBe('200');
    expect(await outcome({ 'sec-fetch-site': 'same-origin' })).toBe('200');
    expect(refusals()).toEqual([]);
  });

  it.each([
    ['no page', {}],
    ['another page', { origin: 'https://evil.example' }],
    ['the own host by another scheme', { host: 'tokens.example', origin: 'https://tokens.example' }],
    ['a forwarded host', { 'x-forwarded-host': 'evil.example', origin: 'http://evil.example' }],
    [
      'the own host as https, by a proxy that is not trusted',
      { host: 'tokens.example', origin: 'https://tokens.example', 'x-forwarded-proto': 'https' },
    ],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
  ] as readonly (readonly [string, Record<string, string>])[])('is refused from %s', async (_from, headers) => {
    expect(await outcome(headers)).toBe('403 ORIGIN_NOT_ALLOWED');
    expect(refusals()).toMatchObject([{ code: 'ORIGIN_NOT_ALLOWED', reason: 'origin_refused' }]);
    expect(program.output()).not.toContain(token);
  });

  it('is accepted from the own origin with the scheme from a trusted proxy, but never with the host from it', async () => {
    await start({ TRUST_PROXY: '127.0.0.1' });
    const host = 'tokens.example';
    expect(await outcome({ host, origin: 'https://tokens.example', 'x-forwarded-proto': 'https' })).toBe('200');
    expect(await outcome({ host, origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' })).toBe(
      '403 ORIGIN_NOT_ALLOWED',
    );
  });

  it('is refused from an empty origin if the caller sent no host', async () => {
    const before = databrain.requests.length;
    const response = await new Promise<string>((resolve, reject) => {
      const socket = connect(program.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.on('error', reject).on('close', () => resolve(text));
      socket.write(`POST /guest-token HTTP/1.0\r\nCookie: session=${token}\r\nOrigin:\r\n\r\n`);
    });
    expect(response).toMatch(/^HTTP\/1\.1 403 /);
    expect(databrain.requests).toHaveLength(before);
  });

  it('is ignored unless it is enabled', async () => {
    await start({ JWT_COOKIE_NAME: '' });
    expect(await outcome({ origin: 'https://app.example' })).toBe('401 AUTHENTICATION_REQUIRED');
  });
});
