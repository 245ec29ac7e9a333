// The main job with real parts: an access token from a real OIDC provider, the built program, and the exact body that
// reached Databrain.
import { createServer, type Server } from 'node:http';
import { createHash, generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { freePort } from '../../demo/free-port.ts';
import { programPath } from '../support/programs/program-path.ts';
import { runProgram, startProgram, type Program } from '../support/programs/program.ts';
import { until } from '../support/until.ts';

const apiKey = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f10';
const audience = 'https://guest-token.example';

const policy = `
version: 1
variables:
  isAdmin: claims.role == "admin"
dataApps:
  sales-dashboard:
    default: true
    expiresIn: 30m
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
        appFilters:
          - when: "!variables.isAdmin"
            metricId: revenue
            values: { country: "\${claims.countries}", paid_orders: true }
        hideDashboardFilters: ['\${variables.isAdmin ? [] : ["cost"]}']
      permissions:
        isEnableDownloadMetrics: \${variables.isAdmin}
`;

async function startProvider(): Promise<{ issuer: string; server: Server }> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'key-1', use: 'sig', alg: 'RS256' }] },
    clients: [
      {
        client_id: 'reporting-app',
        client_secret: 'the-secret-of-the-client',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: 'read',
          audience,
          accessTokenFormat: 'jwt' as const,
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'RS256' as const } },
        }),
      },
    },
    extraTokenClaims: () => ({ org_id: 'acme', role: 'viewer', countries: ['DE', 'FR'] }),
  });
  const server = createServer((request, response) => void provider.callback()(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { issuer, server };
}

async function accessToken(issuer: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('reporting-app:the-secret-of-the-client').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read', resource: audience }),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { access_token: string }).access_token;
}

let databrain: SimulatedDatabrain;
let provider: { issuer: string; server: Server };
let program: Program;

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  provider = await startProvider();
  program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: provider.issuer,
      JWT_AUDIENCE: audience,
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
    },
    files: { 'policy.yaml': policy },
  });
});
afterAll(async () => {
  expect(await program.stop()).toBe(0);
  provider.server.closeAllConnections();
  await new Promise((resolve) => provider.server.close(resolve));
  await databrain.close();
});

describe('from the access token of a real OIDC provider to a guest token', () => {
  it('is ready after it has the keys of the issuer that discovery finds', async () => {
    for (let i = 0; i < 200 && (await program.send({ method: 'GET', path: '/readyz' })).status !== 200; i += 1) {
      await new Promise((done) => setTimeout(done, 25));
    }
    const ready = await program.send({ method: 'GET', path: '/readyz' });
    expect(JSON.parse(ready.text)).toEqual({
      status: 'ok',
      checks: { policy: 'ok', apiKeys: 'ok', issuerKeys: 'ok', audit: 'ok', accepting: 'ok' },
    });
  });

  it('sends exactly the body of the policy and returns only the UUID', async () => {
    const token = await accessToken(provider.issuer);
    const answer = await program.send({ headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    const body = JSON.parse(answer.text) as { token: string };
    expect(body).toEqual({ token: databrain.requests[0]?.token });
    expect(body.token).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(databrain.requests).toHaveLength(1);
    expect(databrain.requests[0]).toMatchObject({
      method: 'POST',
      path: '/api/v2/guest-token/create',
      dataAppOfKey: 'sales-dashboard',
      body: {
        clientId: 'acme',
        dataAppName: 'sales-dashboard',
        params: {
          userIdentifier: 'reporting-app',
          allowedEmbeds: ['sales-overview'],
          appFilters: [{ metricId: 'revenue', values: { country: ['DE', 'FR'], paid_orders: true } }],
          hideDashboardFilters: ['cost'],
        },
        permissions: { isEnableDownloadMetrics: false },
        expiryTime: 1_800_000,
      },
    });
    expect(Object.keys(databrain.requests[0]?.body as object).sort()).toEqual([
      'clientId',
      'dataAppName',
      'expiryTime',
      'params',
      'permissions',
    ]);
  });

  it('returns the same token again without another call, with a shorter lifetime', async () => {
    const token = await accessToken(provider.issuer);
    const first = await program.send({ headers: { authorization: `Bearer ${token}` } });
    const again = await program.send({ headers: { authorization: `Bearer ${token}` } });
    expect(again.text).toBe(first.text);
    expect(Number(again.headers['guest-token-expires-in'])).toBeLessThanOrEqual(1800);
    expect(databrain.requests).toHaveLength(1);
  });

  it('writes the hash of the request to the audit line, and explain prints the same hash for these claims', async () => {
    const issuedLines = () => program.lines().filter(({ event }) => event === 'guest_token.issued');
    await until(() => issuedLines().length === 3);
    const issued = issuedLines();
    const [sent] = databrain.requests;
    const canonical =
      '{"clientId":"acme","dataAppName":"sales-dashboard","params":{"allowedEmbeds":["sales-overview"],' +
      '"appFilters":[{"metricId":"revenue","values":{"country":["DE","FR"],"paid_orders":true}}],' +
      '"hideDashboardFilters":["cost"],"userIdentifier":"reporting-app"},"permissions":{"isEnableDownloadMetrics":false}}';
    expect({ ...JSON.parse(canonical), expiryTime: 1_800_000 }).toEqual(sent?.body);
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    expect(issued.map(({ requestSha256 }) => requestSha256)).toEqual(Array(3).fill(sha256(canonical)));
    const tokens = new Set(issued.map(({ tokenSha256 }) => tokenSha256));
    expect(tokens).toEqual(new Set([sha256(sent?.token ?? '').slice(0, 16)]));

    const claims = { sub: 'reporting-app', org_id: 'acme', role: 'viewer', countries: ['DE', 'FR'] };
    const args = ['explain', '--json', '--claims', JSON.stringify(claims)];
    const { output } = await runProgram(programPath(), args, {}, program.folder);
    expect(JSON.parse(output)).toMatchObject({ requestSha256: sha256(canonical) });
  });

  it('serves metrics on the admin listener only', async () => {
    const metrics = await program.send({ method: 'GET', path: '/metrics', port: program.adminPort });
    expect(metrics.status).toBe(200);
    expect(metrics.text).toContain('guest_token_requests_total{code="ISSUED"} 3');
    expect(metrics.text).not.toMatch(/^guest_token_redis_up /m);
    expect(metrics.text).toContain('guest_token_upstream_calls_total{result="token"} 1');
    expect(metrics.text).toContain('guest_token_reuse_total{result="hit"} 2');
    expect(metrics.text).toMatch(/guest_token_policy_info\{revision="[0-9a-f]{12}"\} 1/);
    for (const path of ['/metrics', '/version']) {
      expect((await program.send({ method: 'GET', path })).status).toBe(404);
    }
  });
});
