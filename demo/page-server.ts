// The demo's web app: a page, a login, and what the simulated Databrain received. On loopback, or behind the one public
// address that it is given.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ReceivedRequest } from './databrain/start-simulated-databrain.ts';
import { demoUsers, type DemoLogin, type DemoUser, type TokenKind } from './login.ts';

interface PageServerOptions {
  readonly port: number;
  readonly proxyUrl: string;
  /** Where the page opens dashboards; undefined with the real API. */
  readonly simulatedUrl: string | undefined;
  /** The real API's address, to say it on the page. */
  readonly realApiUrl: string | undefined;
  readonly received: () => readonly ReceivedRequest[];
  /** The embeds that the page tries to open. */
  readonly embedIds: readonly string[];
  readonly login: Pick<DemoLogin, 'signIn'>;
  readonly explain: (claims: object) => Promise<unknown>;
  /** Text of the policy in use. */
  readonly policy: () => string;
  /** Where browsers find the page when something stands in front of it; it then listens on every interface. */
  readonly publicUrl?: string;
  /** The login's public keys, for a proxy that fetches them. */
  readonly keySet?: object;
}

export interface PageServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

const loopback = '127.0.0.1';
const folder = new URL('./page/', import.meta.url);
const files = new Map<string, { readonly name: string; readonly type: string }>([
  ['/', { name: 'index.html', type: 'text/html; charset=utf-8' }],
  ['/page.css', { name: 'page.css', type: 'text/css; charset=utf-8' }],
]);
for (const name of ['page.js', 'steps.js', 'calls.js', 'body-view.js', 'dashboard-view.js', 'elements.js'])
  files.set(`/${name}`, { name, type: 'text/javascript; charset=utf-8' });

const tokenKinds: readonly TokenKind[] = ['valid', 'expired', 'tampered'];

/** Only what a page of this demo may ask for; a page elsewhere that points its own name at loopback may not. */
const isOwnHost = ({ headers }: IncomingMessage, publicUrl: string | undefined): boolean =>
  /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '') ||
  (publicUrl !== undefined && headers.host === new URL(publicUrl).host);

async function readFields(request: IncomingMessage): Promise<ReadonlyMap<string, unknown>> {
  const body = await json(request);
  return new Map(typeof body === 'object' && body !== null ? Object.entries(body) : []);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

const sendJson = (response: ServerResponse, body: unknown): void =>
  send(response, 200, 'application/json; charset=utf-8', JSON.stringify(body));

export async function startPageServer(options: PageServerOptions): Promise<PageServer> {
  const { proxyUrl, simulatedUrl, realApiUrl, embedIds, login, publicUrl, keySet } = options;
  const userOf = (fields: ReadonlyMap<string, unknown>): DemoUser | undefined =>
    demoUsers.find(({ id }) => id === fields.get('user'));
  const contentSecurityPolicy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    'img-src data:',
    `connect-src 'self' ${proxyUrl} ${simulatedUrl === undefined ? '' : new URL(simulatedUrl).origin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    const file = request.method === 'GET' ? files.get(request.url ?? '') : undefined;
    if (file !== undefined) {
      response.setHeader('content-security-policy', contentSecurityPolicy);
      return send(response, 200, file.type, readFileSync(new URL(file.name, folder)));
    }
    if (route === 'GET /demo.json')
      return sendJson(response, { proxyUrl, simulatedUrl, realApiUrl, embedIds, users: demoUsers });
    if (route === 'GET /jwks.json' && keySet !== undefined) return sendJson(response, keySet);
    if (route === 'GET /policy.yaml') return send(response, 200, 'text/plain; charset=utf-8', options.policy());
    if (route === 'POST /login') {
      const fields = await readFields(request);
      const user = userOf(fields);
      const kind = tokenKinds.find((known) => known === fields.get('kind'));
      if (user !== undefined && kind !== undefined)
        return sendJson(response, { accessToken: login.signIn(user, kind) });
    }
    if (route === 'POST /explain') {
      const user = userOf(await readFields(request));
      if (user !== undefined) return sendJson(response, await options.explain(user.claims));
    }
    if (route === 'POST /received') {
      const token = (await readFields(request)).get('token');
      const requests = options.received();
      const match = typeof token === 'string' ? requests.findLast((received) => received.token === token) : undefined;
      return sendJson(response, { count: requests.length, request: match ?? null });
    }
    send(response, 404, 'text/plain; charset=utf-8', 'There is nothing here.\n');
  }

  const server = createServer((request, response) => {
    if (!isOwnHost(request, publicUrl))
      return send(response, 403, 'text/plain; charset=utf-8', 'Not for this host name.\n');
    answer(request, response).catch(() => send(response, 400, 'text/plain; charset=utf-8', 'That did not work.\n'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, publicUrl === undefined ? loopback : '0.0.0.0', resolve);
  });
  return {
    url: `http://${loopback}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
