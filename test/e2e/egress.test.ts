// The service behind a real forward proxy: Databrain over a tunnel and over plain http, and the log lines when the
// proxy refuses.
import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../demo/free-port.ts';
import { startTinyproxy, tinyproxyIsInstalled, tinyproxyReason } from '../support/servers/forward-proxy.ts';
import { programPath } from '../support/programs/program-path.ts';
import { runProgram, startProgram, type Program } from '../support/programs/program.ts';
import { selfSigned } from '../support/self-signed.ts';
import { signToken } from '../support/sign-token.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const secret = 'a-secret-for-this-test-only-0123456789';
const apiKey = '5bd4e6a2-8f5e-4d39-9a6b-3c2f1e0d9b8a';
const policy = `version: 1
dataApps:
  sales: { default: true, expiresIn: 1h, request: { clientId: "\${claims.org_id}", params: { allowedEmbeds: [a] } } }
`;

async function startDatabrain(secure: boolean) {
  const seen: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    seen.push(request.headers.authorization);
    expect(request.headers['proxy-authorization']).toBeUndefined();
    request.resume().on('end', () => response.end(JSON.stringify({ token: randomUUID() })));
  };
  const server: Server = secure ? createTlsServer(selfSigned, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `${secure ? 'https' : 'http'}://localhost:${port}`, host: `localhost:${port}`, seen };
}

const settings = {
  PATH: process.env['PATH'] ?? '',
  HOST: '127.0.0.1',
  DATABRAIN_API_KEY: apiKey,
  JWT_ISSUER: 'https://login.example',
  JWT_AUDIENCE: 'dashboards',
  JWT_SECRET: secret,
  POLICY_FILE: 'policy.yaml',
  SHUTDOWN_DRAIN_SECONDS: '0',
  NODE_EXTRA_CA_CERTS: 'ca.pem',
};

async function start(env: Readonly<Record<string, string>>): Promise<Program> {
  const program = await startProgram({
    path: programPath(),
    env: { ...settings, PORT: String(await freePort()), ADMIN_PORT: String(await freePort()), ...env },
    files: { 'policy.yaml': policy, 'ca.pem': selfSigned.cert },
  });
  closing.push(program.stop);
  return program;
}

function requestToken(program: Program): Promise<{ status: number; text: string }> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://login.example',
    aud: 'dashboards',
    sub: 'ada',
    org_id: 'acme',
    iat: now,
    exp: now + 600,
  };
  return program.send({ headers: { authorization: `Bearer ${signToken('HS256', secret, claims)}` } });
}

describe(`behind a forward proxy${tinyproxyReason}`, () => {
  it.skipIf(!tinyproxyIsInstalled).each([
    ['in a tunnel', true],
    ['over http', false],
  ])('a guest token is minted %s, with user and password for the proxy', async (_how, secure) => {
    const proxy = await startTinyproxy({ name: 'proxyuser', password: 'proxypassword' });
    closing.push(proxy.stop);
    const databrain = await startDatabrain(secure);
    const program = await start({
      DATABRAIN_API_URL: databrain.url,
      HTTPS_PROXY: secure ? proxy.url : 'http://127.0.0.1:1',
      HTTP_PROXY: secure ? 'http://127.0.0.1:1' : proxy.url,
    });
    const { status, text } = await requestToken(program);
    expect([status, program.output()]).toEqual([200, expect.anything()]);
    expect(text).toMatch(/^\{"token":"[0-9a-f-]{36}"\}$/);
    expect(databrain.seen).toEqual([`Bearer ${apiKey}`]);
    expect(proxy.requests()).toEqual([
      secure ? `CONNECT ${databrain.host}` : `POST ${databrain.url}/api/v2/guest-token/create`,
    ]);
    expect(program.output()).not.toMatch(/proxypassword|cHJveHl1c2Vy/);
  });

  it.skipIf(!tinyproxyIsInstalled).each([
    ['in a tunnel', true],
    ['over http', false],
  ])('a proxy that requires credentials is named in the log, %s', async (_how, secure) => {
    const proxy = await startTinyproxy({ name: 'proxyuser', password: 'proxypassword' });
    closing.push(proxy.stop);
    const databrain = await startDatabrain(secure);
    const withoutCredentials = proxy.url.replace('proxyuser:proxypassword@', '');
    const program = await start({
      DATABRAIN_API_URL: databrain.url,
      HTTPS_PROXY: withoutCredentials,
      HTTP_PROXY: withoutCredentials,
      DATABRAIN_MAX_RETRIES: '0',
    });
    const { status, text } = await requestToken(program);
    expect([status, text]).toEqual([503, expect.stringContaining('UPSTREAM_UNAVAILABLE')]);
    expect(databrain.seen).toEqual([]);
    expect(program.lines().map(({ errorCode }) => errorCode)).toContain('EGRESS_PROXY_407');
  });

  it.skipIf(!tinyproxyIsInstalled)('hosts in NO_PROXY are called directly, even if it is in lower case', async () => {
    const databrain = await startDatabrain(true);
    const program = await start({
      DATABRAIN_API_URL: databrain.url,
      https_proxy: 'http://127.0.0.1:1',
      no_proxy: 'localhost',
    });
    expect((await requestToken(program)).status).toBe(200);
  });

  it.skipIf(!tinyproxyIsInstalled)('check --live uses the proxy', async () => {
    const proxy = await startTinyproxy();
    closing.push(proxy.stop);
    const databrain = await startDatabrain(false);
    const program = await start({ DATABRAIN_API_URL: databrain.url });
    await runProgram(
      programPath(),
      ['check', '--live'],
      { ...settings, DATABRAIN_API_URL: databrain.url, HTTP_PROXY: proxy.url },
      program.folder,
    );
    expect(proxy.requests()).toContain(`GET ${databrain.url}/api/v2/data-app/embeds`);
  });
});

describe('the start is refused', () => {
  const refusedBy = async (env: Readonly<Record<string, string>>): Promise<string> => {
    const { exitCode, output } = await runProgram(programPath(), ['check'], { ...settings, ...env });
    expect(exitCode).toBe(78);
    return output;
  };

  it.each(['0', 'false'])('with NODE_TLS_REJECT_UNAUTHORIZED=%s', async (value) => {
    const output = await refusedBy({ NODE_TLS_REJECT_UNAUTHORIZED: value });
    expect(output).toMatch(/^NODE_TLS_REJECT_UNAUTHORIZED: .*NODE_EXTRA_CA_CERTS/m);
  });

  it.each([
    ['HTTPS_PROXY', 'proxy.internal:3128'],
    ['HTTPS_PROXY', 'socks5://proxy.internal:1080'],
    ['HTTP_PROXY', 'http://proxy.internal:3128/path'],
    ['HTTP_PROXY', 'http://user:pass%zzword@proxy.internal:3128'],
    ['NO_PROXY', 'https://internal.test'],
    ['NO_PROXY', '10.0.0.0/99'],
  ])('with %s=%s, without showing the value', async (name, value) => {
    const output = await refusedBy({ [name]: value });
    expect(output).toMatch(new RegExp(`^${name}: `, 'm'));
    expect(output).not.toContain('proxy.internal:');
    expect(output).not.toContain('pass%zzword');
  });

  it('with two values for one proxy', async () => {
    const output = await refusedBy({ HTTPS_PROXY: 'http://a.internal:1', https_proxy: 'http://b.internal:1' });
    expect(output).toMatch(/^HTTPS_PROXY: /m);
  });
});
