import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { Client, request, type Dispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEgress, type Egress } from '../../../src/egress/egress.ts';
import type { EgressProxy } from '../../../src/egress/tunnel.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { startScriptedProxy, type ScriptedProxy } from '../../support/servers/forward-proxy.ts';
import { selfSigned } from '../../support/self-signed.ts';

const closing: (() => unknown)[] = [];
let proxy: ScriptedProxy;

beforeEach(async () => {
  proxy = await startScriptedProxy();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await proxy.close();
});

const listener: RequestListener = (incoming, response) => {
  response.end(
    JSON.stringify({ host: incoming.headers.host, url: incoming.url, headers: Object.keys(incoming.headers) }),
  );
};

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}
const startHttps = () => listen(createTlsServer(selfSigned, listener));

const through = (
  url: string,
  extra: Partial<Parameters<typeof createEgress>[0]> = {},
  authorization?: string,
): Egress => {
  const one: EgressProxy = {
    origin: url,
    authorization: authorization === undefined ? undefined : new Secret(authorization),
  };
  return createEgress({ https: one, http: one, noProxy: '', ...extra });
};
const agentOf = (egress: Egress, connectTimeoutMs = 2000): Dispatcher => {
  const agent = egress.createAgent({ connectTimeoutMs, ca: selfSigned.cert });
  closing.push(() => agent.destroy());
  return agent;
};
async function get(dispatcher: Dispatcher, url: string): Promise<{ status: number; body: unknown }> {
  const { statusCode, body } = await request(url, { dispatcher, headers: { accept: 'application/json' } });
  const text = await body.text();
  return { status: statusCode, body: text === '' ? undefined : JSON.parse(text) };
}
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

describe('The way to an https address', () => {
  it('goes through a tunnel to its host and port, and the proxy sees nothing else', async () => {
    const port = await startHttps();
    const agent = agentOf(through(proxy.url));
    const { body } = await get(agent, `https://localhost:${port}/a?b=c`);
    expect(body).toEqual({ host: `localhost:${port}`, url: '/a?b=c', headers: ['host', 'connection', 'accept'] });
    expect(proxy.requests).toEqual([`CONNECT localhost:${port}`]);
  });

  it('sends user and password to the proxy, and not to the target', async () => {
    const port = await startHttps();
    const { body } = await get(agentOf(through(proxy.url, {}, 'Basic dTpw')), `https://localhost:${port}/`);
    expect(proxy.requests).toEqual([`CONNECT localhost:${port} Basic dTpw`]);
    expect(JSON.stringify(body)).not.toContain('proxy');
  });

  it('needs no DNS look-up in this process', async () => {
    const port = await startHttps();
    await expect(get(agentOf(through(proxy.url)), `https://databrain.invalid:${port}/`)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    expect(proxy.requests).toEqual([`CONNECT databrain.invalid:${port}`]);
  });

  it("includes a check of the target's certificate", async () => {
    const port = await startHttps();
    const agent = through(proxy.url).createAgent({ connectTimeoutMs: 2000 });
    closing.push(() => agent.destroy());
    await expect(get(agent, `https://localhost:${port}/`)).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
  });

  it.each([
    ['refuses', 403, 'EGRESS_PROXY_403'],
    ['requires credentials', 407, 'EGRESS_PROXY_407'],
    ['cannot reach the target', 502, 'EGRESS_PROXY_502'],
    ['resets', 'reset', 'EGRESS_PROXY_ECONNRESET'],
    ['is not an HTTP proxy', 'garbage', 'EGRESS_PROXY_FAILED'],
  ] as const)('fails once and with its own error code when the proxy %s', async (_what, behaviour, code) => {
    proxy.behave(behaviour);
    const error: unknown = await get(agentOf(through(proxy.url)), 'https://localhost:1/').catch((e: unknown) => e);
    expect(codeOf(error)).toBe(code);
    expect(String(error)).not.toMatch(/localhost|OpenSSH/);
    expect(proxy.requests).toHaveLength(1);
    await expect.poll(() => proxy.openSockets()).toBe(0);
  });

  it('fails with a separate code when the proxy is unreachable', async () => {
    const { url } = proxy;
    await proxy.close();
    const error: unknown = await get(agentOf(through(url)), 'https://localhost:1/').catch((e: unknown) => e);
    expect(codeOf(error)).toBe('EGRESS_PROXY_ECONNREFUSED');
  });

  it.each([
    ['the proxy does not answer', 'hang'],
    ['the target does not answer', 'tunnel'],
  ] as const)('ends in time and leaves no open connection when %s', async (_what, behaviour) => {
    proxy.behave(behaviour);
    const silent = createTcpServer((socket) => void socket.on('error', () => undefined).resume());
    const port = await listen(silent);
    const begin = performance.now();
    const error: unknown = await get(agentOf(through(proxy.url), 200), `https://localhost:${port}/`).catch(
      (e: unknown) => e,
    );
    expect(codeOf(error)).toBe('UND_ERR_CONNECT_TIMEOUT');
    expect(performance.now() - begin).toBeLessThan(1500);
    await expect.poll(() => proxy.openSockets()).toBe(0);
  });

  it('is direct for hosts in NO_PROXY', async () => {
    const port = await startHttps();
    const { status } = await get(agentOf(through(proxy.url, { noProxy: 'localhost' })), `https://localhost:${port}/`);
    expect(status).toBe(200);
    expect(proxy.requests).toEqual([]);
  });

  it('is direct if there is a proxy for http only', async () => {
    const port = await startHttps();
    await get(agentOf(through(proxy.url, { https: undefined })), `https://localhost:${port}/`);
    expect(proxy.requests).toEqual([]);
  });
});

describe('The way to an http address', () => {
  it('sends the complete URL to the proxy', async () => {
    proxy.behave(418);
    const { status } = await get(agentOf(through(proxy.url, {}, 'Basic dTpw')), 'http://databrain.invalid:8080/a?b=c');
    expect(status).toBe(418);
    expect(proxy.requests).toEqual(['GET http://databrain.invalid:8080/a?b=c Basic dTpw']);
  });

  it('is direct for hosts in NO_PROXY', async () => {
    const port = await listen(createServer(listener));
    const { body } = await get(agentOf(through(proxy.url, { noProxy: '127.0.0.0/8' })), `http://127.0.0.1:${port}/x`);
    expect(body).toMatchObject({ url: '/x', host: `127.0.0.1:${port}` });
    expect(proxy.requests).toEqual([]);
  });
});

describe('A route', () => {
  it('has the options that a Client needs', async () => {
    proxy.behave(404);
    const route = through(proxy.url, {}, 'Basic dTpw').routeTo(new URL('http://databrain.invalid/prefix'), {
      connectTimeoutMs: 1000,
    });
    expect(route).toMatchObject({
      origin: proxy.url,
      pathPrefix: 'http://databrain.invalid',
      headers: { host: 'databrain.invalid', 'proxy-authorization': 'Basic dTpw' },
    });
    const client = new Client(route.origin, { connect: route.connect });
    closing.push(() => client.destroy());
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: `${route.pathPrefix}/prefix`,
      headers: route.headers,
    });
    await body.dump();
    expect(statusCode).toBe(404);
  });

  it('leads directly to the target without a proxy', () => {
    const egress = createEgress({ https: undefined, http: undefined, noProxy: '' });
    expect(egress.routeTo(new URL('https://databrain.invalid:8443/prefix'), { connectTimeoutMs: 1000 })).toMatchObject({
      origin: 'https://databrain.invalid:8443',
      pathPrefix: '',
      headers: {},
    });
  });
});
