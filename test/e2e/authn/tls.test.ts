// Keys fetched over TLS, on the built program: only from an issuer with a valid certificate; also through an egress
// proxy.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { startTinyproxy, tinyproxyIsInstalled, tinyproxyReason } from '../../support/servers/forward-proxy.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { startProgram, type Program } from '../../support/programs/program.ts';
import { selfSigned } from '../../support/self-signed.ts';
import { signToken } from '../../support/sign-token.ts';
import { salesPolicy } from '../../support/sales-policy.ts';

const apiKey = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f11';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let databrain: SimulatedDatabrain;
let issuer: Server;
let requestCount: number;
let url: string;
let program: Program | undefined;

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  issuer = createServer(selfSigned, (request, response) => {
    requestCount += 1;
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }] };
    const metadata = { issuer: url, jwks_uri: `${url}/jwks` };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url === '/jwks' ? jwks : metadata));
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  url = `https://localhost:${(issuer.address() as AddressInfo).port}`;
});
afterEach(() => program?.stop());
afterAll(async () => {
  issuer.closeAllConnections();
  issuer.close();
  await databrain.close();
});

const start = async (env: Record<string, string>): Promise<Program> => {
  requestCount = 0;
  program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: url,
      JWT_AUDIENCE: 'me',
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
      ...env,
    },
    files: { 'policy.yaml': salesPolicy, 'ca.pem': selfSigned.cert },
  });
  return program;
};
const bearer = (): Record<string, string> => {
  const claims = { iss: url, aud: 'me', sub: 'u1', org_id: 'acme', exp: Math.floor(Date.now() / 1000) + 600 };
  return { authorization: `Bearer ${signToken('ES256', privateKey, claims, { kid: 'a' })}` };
};

describe.each([
  ['discovery', {}],
  ['a JWKS address', { JWT_JWKS_URL: 'jwks' }],
])('an issuer behind TLS, by %s', (_how, variables: { JWT_JWKS_URL?: string }) => {
  const settings = (): Record<string, string> =>
    variables.JWT_JWKS_URL === undefined ? {} : { JWT_JWKS_URL: `${url}/jwks` };

  it('is used if its certificate is trusted', async () => {
    const running = await start({ ...settings(), NODE_EXTRA_CA_CERTS: 'ca.pem' });
    expect((await running.send({ headers: bearer() })).status).toBe(200);
    expect(requestCount).toBeGreaterThan(0);
  });

  it('is not trusted without a valid certificate: no keys, 503, not ready', async () => {
    const running = await start(settings());
    const answer = await running.send({ headers: bearer() });
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('AUTHENTICATION_UNAVAILABLE');
    expect((await running.send({ method: 'GET', path: '/readyz' })).status).toBe(503);
    expect(running.logged('keysNotFetched')[0]).toMatchObject({
      level: 'warn',
      failure: 'unreachable',
      url: expect.stringMatching(/^https:\/\/localhost:\d+\/(jwks|\.well-known\/openid-configuration)$/) as string,
      errorCode: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      fix: expect.stringContaining('NODE_EXTRA_CA_CERTS') as string,
    });
    expect(requestCount).toBe(0);
  });
});

describe(`an issuer behind an egress proxy${tinyproxyReason}`, () => {
  const env = (proxy: string) => ({ HTTPS_PROXY: proxy, NO_PROXY: '127.0.0.1', NODE_EXTRA_CA_CERTS: 'ca.pem' });

  it.skipIf(!tinyproxyIsInstalled)('is reached through its tunnel for metadata and keys', async () => {
    const proxy = await startTinyproxy({ name: 'proxyuser', password: 'proxypassword' });
    try {
      const running = await start(env(proxy.url));
      expect((await running.send({ headers: bearer() })).status).toBe(200);
      expect(new Set(proxy.requests())).toEqual(new Set([`CONNECT ${url.replace('https://', '')}`]));
      expect(running.output()).not.toMatch(/proxypassword|cHJveHl1c2Vy/);
    } finally {
      proxy.stop();
    }
  });

  it.skipIf(!tinyproxyIsInstalled)('is reported if it requires credentials', async () => {
    const proxy = await startTinyproxy({ name: 'proxyuser', password: 'proxypassword' });
    try {
      const running = await start(env(proxy.url.replace('proxyuser:proxypassword@', '')));
      expect((await running.send({ headers: bearer() })).status).toBe(503);
      expect(running.logged('keysNotFetched')[0]).toMatchObject({
        errorCode: 'EGRESS_PROXY_407',
        fix: expect.stringContaining('HTTPS_PROXY') as string,
      });
      expect(requestCount).toBe(0);
    } finally {
      proxy.stop();
    }
  });
});
