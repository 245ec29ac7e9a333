// Further settings of authentication, on the built program: the user's claim, encoded secrets, a gateway's header, keys
// over http, a missing audience of one issuer, and the log lines about refusals.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { json, startKeyServer, type KeyServer } from '../../support/servers/key-server.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { startProgram, type Program } from '../../support/programs/program.ts';
import { signToken } from '../../support/sign-token.ts';
import { until } from '../../support/until.ts';
import { logMessages } from '../../support/sentences/log-messages.ts';

const iss = 'https://issuer.example';
const origin = 'https://app.example';
const apiKey = '2c1f9a64-6a55-4d56-9a0e-5f0f7a3d9c21';
const secret = randomBytes(36).toString('base64');
const policy = `version: 1
dataApps:
  sales-dashboard:
    default: true
    expiresIn: 1h
    request: { clientId: acme, params: { allowedEmbeds: [sales-overview] } }
`;

let databrain: SimulatedDatabrain;
let keyServer: KeyServer | undefined;
let program: Program | undefined;

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
});
afterEach(async () => {
  await program?.kill();
  await keyServer?.close();
  keyServer = undefined;
});
afterAll(async () => {
  await databrain.close();
});

const bySecret = { JWT_ISSUER: iss, JWT_AUDIENCE: 'me', JWT_SECRET: secret };

async function start(env: Record<string, string>, files: Record<string, string> = {}): Promise<Program> {
  program = await startProgram({
    path: programPath(),
    env: { DATABRAIN_API_URL: databrain.url, DATABRAIN_API_KEY: apiKey, CORS_ORIGINS: origin, ...env },
    files: { 'policy.yaml': policy, ...files },
  });
  return program;
}

const claimsOf = (changes: object = {}): object => {
  const now = Math.floor(Date.now() / 1000);
  return { iss, aud: 'me', sub: 'u1', iat: now, exp: now + 600, ...changes };
};
const token = (changes: object = {}, key: string | Buffer = secret): string =>
  signToken('HS256', key, claimsOf(changes));
const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` });
const tokenOf = (response: { text: string }): string => (JSON.parse(response.text) as { token: string }).token;

describe('JWT_USER_CLAIM', () => {
  it('identifies the user for reuse, limits and audit; the number 17 and the string "17" are two users', async () => {
    const running = await start({ ...bySecret, JWT_USER_CLAIM: 'uid', RATE_LIMIT_USER_MAX: '2' });
    const send = (uid: unknown) => running.send({ headers: bearer(token({ uid, sub: 'one-for-all' })) });
    const [number, text] = [await send(17), await send('17')];
    expect([number.status, text.status]).toEqual([200, 200]);
    expect(tokenOf(number)).not.toBe(tokenOf(text));
    expect(tokenOf(await send(17))).toBe(tokenOf(number));
    expect((await send(17)).status).toBe(429);
    expect((await send('17')).status).toBe(200);
    const issued = () => running.lines().filter(({ event }) => event === 'guest_token.issued');
    // The answer may arrive before the log line.
    await until(() => issued().length === 4);
    expect(issued().map(({ sub }) => sub)).toEqual([17, '17', 17, '17']);
  });

  it('is required in every token', async () => {
    const running = await start({ ...bySecret, JWT_USER_CLAIM: 'uid' });
    expect((await running.send({ headers: bearer(token()) })).status).toBe(401);
    expect(running.lines().at(-1)).toMatchObject({ reason: 'claim_missing', claim: 'uid' });
  });
});

describe('JWT_SECRET_ENCODING', () => {
  it('decodes the secret in the same way as the signer', async () => {
    const running = await start({ ...bySecret, JWT_SECRET_ENCODING: 'base64' });
    expect((await running.send({ headers: bearer(token({}, Buffer.from(secret, 'base64'))) })).status).toBe(200);
    expect((await running.send({ headers: bearer(token({}, secret)) })).status).toBe(401);
    expect(running.output()).not.toContain(secret);
  });
});

describe('JWT_HEADER_NAME', () => {
  it('accepts the token of a gateway only from an allowed page, and ignores Authorization', async () => {
    const running = await start({ ...bySecret, JWT_HEADER_NAME: 'Cf-Access-Jwt-Assertion' });
    const header = { 'cf-access-jwt-assertion': token() };
    const good = await running.send({ headers: { ...header, origin } });
    expect(good.status).toBe(200);
    expect(good.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
    });
    const status = async (headers: Record<string, string>): Promise<number> => (await running.send({ headers })).status;
    expect(await status(header)).toBe(403);
    expect(await status({ ...header, origin: 'https://evil.example' })).toBe(403);
    expect(await status({ ...header, 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await status({ ...bearer(token()), origin })).toBe(401);
    expect(await status({ ...header, ...bearer(token()), origin })).toBe(400);
  });
});

describe('INSECURE_JWT_HTTP', () => {
  it('allows http to another machine for keys, and logs a warning at the start', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    keyServer = await startKeyServer();
    keyServer.on('/jwks', json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }] }));
    // An address of this machine that does not count as loopback.
    const url = `${keyServer.url.replace('127.0.0.1', '0.0.0.0')}/jwks`;
    const running = await start({
      JWT_ISSUER: iss,
      JWT_AUDIENCE: 'me',
      JWT_JWKS_URL: url,
      INSECURE_JWT_HTTP: 'true',
    });
    const signed = signToken('ES256', privateKey, claimsOf(), { kid: 'a' });
    expect((await running.send({ headers: bearer(signed) })).status).toBe(200);
    expect(running.lines()).toContainEqual(
      expect.objectContaining({ level: 'warn', setting: 'INSECURE_JWT_HTTP' }) as object,
    );
  });
});

describe('allowMissingAudience', () => {
  it('applies to its own issuer only, and is logged as a warning at the start', async () => {
    const other = 'https://other.example';
    const otherSecret = randomBytes(36).toString('base64');
    const running = await start(
      { JWT_ISSUERS_FILE: 'issuers.yaml' },
      {
        'issuers.yaml': `- { issuer: '${iss}', audience: me, secret: '${secret}', allowMissingAudience: true }
- { issuer: '${other}', audience: me, secret: '${otherSecret}' }
`,
      },
    );
    const status = async (text: string): Promise<number> => (await running.send({ headers: bearer(text) })).status;
    expect(await status(token({ aud: undefined }))).toBe(200);
    expect(await status(token({ aud: 'someone-else' }))).toBe(401);
    expect(await status(token({ iss: other, aud: undefined }, otherSecret))).toBe(401);
    expect(await status(token({ iss: other }, otherSecret))).toBe(200);
    expect(running.lines()).toContainEqual(
      expect.objectContaining({ level: 'warn', setting: `allowMissingAudience of ${iss}` }) as object,
    );
  });
});

describe('a refused token', () => {
  const explanations = (running: Program) =>
    running.lines().filter(({ message }) => message === logMessages.tokenRefused);
  const metrics = async (running: Program): Promise<string> =>
    (await running.send({ method: 'GET', path: '/metrics', port: running.adminPort })).text;

  it('is explained once at debug, with the received value only if it is public and signed, and is counted by reason', async () => {
    const running = await start({ ...bySecret, LOG_LEVEL: 'debug' });
    const forger = randomBytes(36);
    for (const text of [
      token({ aud: ['account', 'x\ny'], sub: 'hidden-user' }),
      token({ aud: 'forged-audience', sub: 'hidden-user' }, forger),
      token({ iss: `${iss}/`, sub: 'hidden-user' }),
      token({ sub: 'hidden-user', exp: 'hidden-date' }),
      signToken('HS384', secret, claimsOf({ sub: 'hidden-user' }), { typ: 'x'.repeat(500) }),
      token({ sub: 'hidden-user' }, forger),
    ]) {
      expect((await running.send({ headers: bearer(text) })).status).toBe(401);
    }
    await until(() => running.lines().filter((line) => line['event'] === 'guest_token.refused').length === 6);
    expect(explanations(running)).toMatchObject([
      { reason: 'audience_refused', received: '["account","x\\ny"]', expected: ['me'], isSigned: true },
      { reason: 'audience_refused', expected: ['me'], isSigned: false },
      { reason: 'issuer_refused', received: `${iss}/`, expected: [iss] },
      { reason: 'claim_invalid', claim: 'exp' },
      { reason: 'algorithm_refused', received: 'HS384', expected: ['HS256'] },
      { reason: 'signature_invalid', isSigned: false },
    ]);
    const refused = running.lines().filter((line) => line['event'] === 'guest_token.refused');
    expect(explanations(running).map((line) => line['requestId'])).toEqual(refused.map((line) => line['requestId']));
    for (const hidden of ['forged-audience', 'hidden-user', 'hidden-date', secret]) {
      expect(running.output()).not.toContain(hidden);
    }
    const text = await metrics(running);
    for (const [reason, count] of [
      ['audience_refused', 2],
      ['signature_invalid', 1],
      ['key_unknown', 0],
    ] as const) {
      expect(text).toContain(`guest_token_refusals_total{reason="${reason}"} ${count}\n`);
    }
  });

  it('has only its audit line at info', async () => {
    const running = await start(bySecret);
    expect((await running.send({ headers: bearer(token({ aud: 'account' })) })).status).toBe(401);
    expect(explanations(running)).toEqual([]);
    expect(running.output()).not.toContain('account');
    expect(await metrics(running)).toContain('guest_token_refusals_total{reason="audience_refused"} 1\n');
  });
});
