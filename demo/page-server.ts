// The demo's web app: a page, a login, and the requests that the simulated Databrain received. It listens on loopback,
// or is behind one configured public address.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { ComponentCall } from './databrain/component-api.ts';
import type { ReceivedRequest } from './databrain/start-simulated-databrain.ts';
import { readVendorComponent } from './vendor-component.ts';
import { demoUsers, type DemoLogin, type DemoUser, type TokenKind } from './login.ts';

interface PageServerOptions {
  readonly port: number;
  readonly proxyUrl: string;
  /** The address where the page opens dashboards; undefined with the real API. */
  readonly simulatedUrl: string | undefined;
  /** The real API's address, shown on the page. */
  readonly realApiUrl: string | undefined;
  readonly received: () => readonly ReceivedRequest[];
  /** The requests of the vendor's component to the simulation; without it there is no page for the component. */
  readonly componentCalls?: (() => readonly ComponentCall[]) | undefined;
  /** The proxy's audit line of a request, if its log is available. */
  readonly auditOf?: (requestId: string) => object | undefined;
  /** The embeds that the page tries to open. */
  readonly embedIds: readonly string[];
  readonly login: Pick<DemoLogin, 'signIn'>;
  readonly explain: (claims: object) => Promise<unknown>;
  /** Text of the policy in use. */
  readonly policy: () => string;
  /** The page's public address, if there is a proxy in front; then it listens on every interface. */
  readonly publicUrl?: string;
  /** The login's public keys, for a proxy that fetches them. */
  readonly keySet?: object;
}

export interface PageServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

const loopback = '127.0.0.1';
/** How many calls of the component the page lists. */
const shownCalls = 30;
const inPage = (name: string): URL => new URL(`./page/${name}`, import.meta.url);
/** Colours and fonts of the policy playground. */
const theme = new URL('../src/playground/page/theme.css', import.meta.url);
const html = 'text/html; charset=utf-8';
const javascript = 'text/javascript; charset=utf-8';
/** The content of each path: the texts of these files, one after the other. */
const files = new Map<string, { readonly parts: readonly URL[]; readonly type: string }>([
  ['/', { parts: [inPage('index.html')], type: html }],
  ['/component', { parts: [inPage('component.html')], type: html }],
  ['/page.css', { parts: [theme, inPage('page.css')], type: 'text/css; charset=utf-8' }],
]);
for (const name of ['page', 'steps', 'calls', 'body-view', 'policy-view', 'dashboard-view', 'elements', 'component'])
  files.set(`/${name}.js`, { parts: [inPage(`${name}.js`)], type: javascript });

const tokenKinds: readonly TokenKind[] = ['valid', 'short', 'expired', 'tampered'];

/** Accepts requests of this demo's page only, not of a page whose host name resolves to loopback (DNS rebinding). */
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
  const { proxyUrl, simulatedUrl, realApiUrl, embedIds, login, publicUrl, keySet, componentCalls } = options;
  const userOf = (fields: ReadonlyMap<string, unknown>): DemoUser | undefined =>
    demoUsers.find(({ id }) => id === fields.get('user'));
  const policyOf = (styles: string, fonts: string): string =>
    [
      "default-src 'none'",
      `script-src 'self' ${proxyUrl}`,
      `style-src 'self' ${styles}`,
      'img-src data:',
      fonts,
      `connect-src 'self' ${proxyUrl} ${simulatedUrl === undefined ? '' : new URL(simulatedUrl).origin}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; ');
  const ownPolicy = policyOf('', "font-src 'none'");
  // The vendor's component writes style elements, and contains its fonts as data.
  const componentPolicy = policyOf("'unsafe-inline'", 'font-src data:');
  let vendorComponent: string | undefined;

  /** The log line comes from another process, shortly after the answer. */
  async function auditOf(requestId: string): Promise<object | undefined> {
    for (let left = 20; left > 0 && options.auditOf?.(requestId) === undefined; left -= 1) await delay(25);
    return options.auditOf?.(requestId);
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    const file = request.method === 'GET' ? files.get(request.url ?? '') : undefined;
    if (file !== undefined) {
      response.setHeader('content-security-policy', request.url === '/component' ? componentPolicy : ownPolicy);
      return send(response, 200, file.type, Buffer.concat(file.parts.map((part) => readFileSync(part))));
    }
    if (route === 'GET /demo.json')
      return sendJson(response, {
        proxyUrl,
        simulatedUrl,
        realApiUrl,
        embedIds,
        users: demoUsers,
        hasComponent: componentCalls !== undefined,
        hasLog: options.auditOf !== undefined,
      });
    if (route === 'GET /jwks.json' && keySet !== undefined) return sendJson(response, keySet);
    if (route === 'GET /vendor.js' && simulatedUrl !== undefined && componentCalls !== undefined) {
      vendorComponent ??= readVendorComponent(simulatedUrl);
      if (vendorComponent !== undefined) return send(response, 200, javascript, vendorComponent);
    }
    if (route === 'GET /component-calls.json' && componentCalls !== undefined)
      return sendJson(response, componentCalls().slice(-shownCalls));
    if (route === 'POST /audit' && options.auditOf !== undefined) {
      const requestId = (await readFields(request)).get('requestId');
      return sendJson(response, { line: (await auditOf(String(requestId))) ?? null });
    }
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
    send(response, 404, 'text/plain; charset=utf-8', 'This path does not exist.\n');
  }

  const server = createServer((request, response) => {
    if (!isOwnHost(request, publicUrl))
      return send(response, 403, 'text/plain; charset=utf-8', 'This host name is not accepted.\n');
    respond(request, response).catch(() =>
      send(response, 400, 'text/plain; charset=utf-8', 'The request is not valid.\n'),
    );
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
