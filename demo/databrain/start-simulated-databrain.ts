// A simulated Databrain: the guest-token API as the vendor documents it and as it is known to behave.
// Uses no code from src/. Used by the demo, the end-to-end tests and the benchmark.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Reply } from './reply.ts';
import { createApi } from './api.ts';
import { createApiKeys } from './api-keys.ts';
import { salesEmbeds, type Embed } from './catalogue.ts';
import { createComponentApi, type ComponentCall, type ComponentRequest } from './component-api.ts';
import { showDashboard } from './dashboard.ts';
import { createGuestTokens } from './guest-tokens.ts';
import { createRateLimiter, defaultRateLimit, type RateLimit } from './rate-limit.ts';
import type { RefusalCode } from './refusal.ts';

export interface SimulatedDatabrainOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** Data app name → its API key (any text; the vendor's are UUIDs). */
  readonly apiKeys: Readonly<Record<string, string>>;
  /** Data app name → its embeds, or `any` to leave ids unchecked. Default: `salesEmbeds` in every data app. */
  readonly embeds?: Readonly<Record<string, readonly Embed[]>> | 'any';
  /** Data app name → its data sources; if there are several, a request must name one. */
  readonly datasources?: Readonly<Record<string, readonly string[]>>;
  /** Members of `params` that are refused, as older self-hosted versions refuse `allowedEmbeds` and `timezone`. */
  readonly unknownParams?: readonly string[];
  /** Per address. Default: 500 per 2 minutes; `off` for load tests. */
  readonly rateLimit?: RateLimit | 'off';
  /** Path before `/api`, such as `/databrain`. Default: none. */
  readonly pathPrefix?: string;
  /** The duration of each API call, in milliseconds. Default: 0. */
  readonly delayMs?: number;
  /** Milliseconds since the epoch, for tokens, keys and windows. Default: the system's clock. */
  readonly now?: () => number;
  /** Maximum number of remembered requests and tokens; the oldest are removed first. Default: 10 000. */
  readonly keep?: number;
}

/** A call of the API, with its reply. API keys are not recorded. */
export interface ReceivedRequest {
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly method: string;
  readonly path: string;
  /** Lower case. */
  readonly headerNames: readonly string[];
  /** The data app of the API key; absent if the key was refused. */
  readonly dataAppOfKey?: string;
  /** The parsed body; its text if it is not JSON; undefined if there was none. */
  readonly body: unknown;
  readonly status: number;
  /** The code of a refusal. */
  readonly code?: string;
  /** The minted guest token. */
  readonly token?: string;
}

export interface SimulatedDatabrain {
  /** The value for `DATABRAIN_API_URL`; without a slash at the end. */
  readonly url: string;
  /** Calls of the API, oldest first; without requests for dashboards. */
  readonly requests: readonly ReceivedRequest[];
  /** Requests of the vendor's web component, oldest first. */
  readonly componentCalls: readonly ComponentCall[];
  /** Refuses the next `times` (default 1) calls of the API, whatever they contain. */
  readonly refuseNext: (code: RefusalCode, times?: number) => void;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

const maxBodyBytes = 1024 * 1024;

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}

function sendJson(response: ServerResponse, { status, body }: Reply): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length });
  response.end(bytes);
}

/**
 * Starts the server. Beside the vendor's API it answers the calls of the vendor's web component and
 * `GET {url}/simulated/dashboards/<embedId>` with a guest token as bearer: 200 with the DashboardView that this token
 * opens; 401, 403 or 404 with a reason. Every other path is 200 HTML, as with the vendor.
 */
export async function startSimulatedDatabrain(options: SimulatedDatabrainOptions): Promise<SimulatedDatabrain> {
  const { host = '127.0.0.1', port = 0, pathPrefix = '', delayMs = 0, now = Date.now, keep = 10_000 } = options;
  const { rateLimit = defaultRateLimit, unknownParams = [], datasources = {} } = options;
  const tokens = createGuestTokens(keep, now);
  const requests: ReceivedRequest[] = [];

  const embedsOf = (dataAppName: string): readonly Embed[] | undefined => {
    if (options.embeds === 'any') return undefined;
    return options.embeds === undefined ? salesEmbeds : (options.embeds[dataAppName] ?? []);
  };
  const component = createComponentApi({
    tokens,
    embedsOf: (dataAppName) => embedsOf(dataAppName) ?? salesEmbeds,
    keep,
    now,
  });
  const api = createApi({
    apiKeys: createApiKeys(options.apiKeys, now),
    tokens,
    withinLimit: rateLimit === 'off' ? () => true : createRateLimiter(rateLimit, now),
    embedsOf,
    datasources,
    unknownParams,
  });

  function record(request: IncomingMessage, body: unknown, { status, dataAppOfKey, code, token }: Reply): void {
    requests.push({
      receivedAt: now(),
      method: request.method ?? '',
      path: request.url ?? '',
      headerNames: Object.keys(request.headers),
      body,
      status,
      ...(dataAppOfKey !== undefined && { dataAppOfKey }),
      ...(code !== undefined && { code }),
      ...(token !== undefined && { token }),
    });
    if (requests.length > keep) requests.shift();
  }

  function openDashboard(authorization: string | undefined, embedId: string): Reply {
    const admission = tokens.admit(authorization?.replace(/^Bearer /, '') ?? '', embedId);
    if (admission.kind === 'refused') return { status: admission.status, body: { reason: admission.reason } };
    const embeds = embedsOf(admission.body.dataAppName) ?? salesEmbeds;
    const embed = embeds.find((candidate) => candidate.embedId === embedId);
    if (embed === undefined) return { status: 404, body: { reason: 'There is no such embed.' } };
    return { status: 200, body: showDashboard(embed, admission.body) };
  }

  /** Requests of a browser: the component's calls and the small dashboard of the demo's page. */
  function openFromBrowser(
    method: string,
    path: string,
    request: Omit<ComponentRequest, 'route'>,
  ): Reply | 'preflight' | undefined {
    const embedId = /^\/simulated\/dashboards\/([\w-]+)$/.exec(path)?.[1];
    if (method === 'OPTIONS' && (embedId !== undefined || component.paths.has(path))) return 'preflight';
    if (path === '/simulated/online') return { status: 200, body: {} };
    if (embedId !== undefined) return openDashboard(request.headers.authorization, embedId);
    return component.respond({ route: `${method} ${path}`, ...request });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const [pathname = '', search] = url.split('?');
    const path = pathname.startsWith(`${pathPrefix}/`) ? pathname.slice(pathPrefix.length) : '';
    const body = parseJson(await readText(request));

    const reply = api.respond(request, `${method} ${path}`, body);
    if (reply !== undefined) {
      record(request, body, reply);
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      return sendJson(response, reply);
    }

    const opened = openFromBrowser(method, path, { query: new URLSearchParams(search), headers, body });
    if (opened !== undefined) {
      // From a browser, on a page of another origin.
      response.setHeader('access-control-allow-origin', '*');
      response.setHeader(
        'access-control-allow-headers',
        'authorization, content-type, x-plugin-token, x-plugin-origin',
      );
      if (opened !== 'preflight') return sendJson(response, opened);
      response.writeHead(204, { 'access-control-max-age': '600' }).end();
      return;
    }

    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end('<!doctype html><title>Databrain (simulated)</title><p>This is not an address of the API.</p>\n');
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });

  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}${pathPrefix}`,
    requests,
    componentCalls: component.calls,
    refuseNext: api.refuseNext,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
