// A Databrain to try the proxy against: the guest-token API as the vendor documents it and as it is known to behave.
// It is the counterparty: nothing here comes from src/. Used by the demo, the end-to-end tests and the benchmark.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApiKeys } from './api-keys.ts';
import { salesEmbeds, type Embed } from './catalogue.ts';
import { showDashboard } from './dashboard.ts';
import { readGuestTokenBody } from './guest-token-body.ts';
import { createGuestTokens } from './guest-tokens.ts';
import { countedAddress, createRateLimiter, defaultRateLimit, type RateLimit } from './rate-limit.ts';
import { refuse, type Refusal, type RefusalCode } from './refusal.ts';

export interface SimulatedDatabrainOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** Data app name → its API key (any text; the vendor's are UUIDs). */
  readonly apiKeys: Readonly<Record<string, string>>;
  /** Data app name → its embeds, or `any` to leave ids unchecked. Default: `salesEmbeds` in every data app. */
  readonly embeds?: Readonly<Record<string, readonly Embed[]>> | 'any';
  /** Data app name → its data sources; with several of them a request must name one. */
  readonly datasources?: Readonly<Record<string, readonly string[]>>;
  /** Members of `params` that are refused, as older self-hosted versions refuse `allowedEmbeds` and `timezone`. */
  readonly unknownParams?: readonly string[];
  /** Per address. Default: 500 per 2 minutes; `off` for load tests. */
  readonly rateLimit?: RateLimit | 'off';
  /** Path before `/api`, such as `/databrain`. Default: none. */
  readonly pathPrefix?: string;
  /** How long each answer of the API takes, in milliseconds. Default: 0. */
  readonly delayMs?: number;
  /** Milliseconds since the epoch, for tokens, keys and windows. Default: the system's clock. */
  readonly now?: () => number;
  /** How many requests and tokens are remembered; the oldest leave first. Default: 10 000. */
  readonly keep?: number;
}

/** A call of the API, as it arrived and how it was answered. Credentials are not kept. */
export interface ReceivedRequest {
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly method: string;
  readonly path: string;
  /** Lower case. */
  readonly headerNames: readonly string[];
  /** The data app whose API key was presented; absent if the key was refused. */
  readonly dataAppOfKey?: string;
  /** The parsed body; its text if it is not JSON; undefined if there was none. */
  readonly body: unknown;
  readonly status: number;
  /** The code of a refusal. */
  readonly code?: string;
  /** The guest token that was given. */
  readonly token?: string;
}

export interface SimulatedDatabrain {
  /** What `DATABRAIN_API_URL` is set to; without a slash at the end. */
  readonly url: string;
  /** Calls of the API in their order, oldest first; openings of dashboards are not among them. */
  readonly requests: readonly ReceivedRequest[];
  /** Refuses the next `times` (default 1) calls of the API whatever they ask. */
  readonly refuseNext: (code: RefusalCode, times?: number) => void;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

const maxBodyBytes = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly dataAppOfKey?: string;
  readonly code?: string;
  readonly token?: string;
}

const isRefusal = (value: object): value is Refusal => 'code' in value && 'status' in value;
const toAnswer = ({ code, message, status }: Refusal): Answer => ({
  status,
  code,
  body: { error: { code, message, status } },
});

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxBodyBytes) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Starts the server. Beside the vendor's API it answers `GET {url}/simulated/dashboards/<embedId>` with a guest token as
 * bearer: 200 with the DashboardView that this token opens; 401, 403 or 404 with a reason. Every other path is 200 HTML, as
 * with the vendor.
 */
export async function startSimulatedDatabrain(options: SimulatedDatabrainOptions): Promise<SimulatedDatabrain> {
  const { host = '127.0.0.1', port = 0, pathPrefix = '', delayMs = 0, now = Date.now, keep = 10_000 } = options;
  const { rateLimit = defaultRateLimit, unknownParams = [], datasources = {} } = options;
  const apiKeys = createApiKeys(options.apiKeys, now);
  const tokens = createGuestTokens(keep, now);
  const withinLimit = rateLimit === 'off' ? () => true : createRateLimiter(rateLimit, now);
  const requests: ReceivedRequest[] = [];
  const scripted: RefusalCode[] = [];

  const embedsOf = (dataApp: string): readonly Embed[] | undefined =>
    options.embeds === 'any' ? undefined : options.embeds === undefined ? salesEmbeds : (options.embeds[dataApp] ?? []);

  function createGuestToken(dataAppOfKey: string, body: unknown): Answer {
    const accepted = readGuestTokenBody(body, { embeds: embedsOf(dataAppOfKey), unknownParams });
    if (isRefusal(accepted)) return toAnswer(accepted);
    if (!apiKeys.dataAppNames.has(accepted.dataAppName))
      return toAnswer(refuse('DATA_APP_ID_ERROR', 'Data app does not exist'));
    if (accepted.dataAppName !== dataAppOfKey)
      return toAnswer(refuse('AUTHENTICATION_ERROR', 'API key does not belong to this data app'));
    const sources = datasources[dataAppOfKey] ?? [];
    if (sources.length > 1 && accepted.datasourceName === undefined)
      return toAnswer(refuse('INVALID_REQUEST_BODY', '"datasourceName" is required'));
    if (sources.length > 0 && accepted.datasourceName !== undefined && !sources.includes(accepted.datasourceName))
      return toAnswer(refuse('WORKSPACE_ID_ERROR', 'Data source does not exist in the workspace'));
    const token = tokens.create(accepted);
    return { status: 200, token, body: { token } };
  }

  const listEmbeds = (dataAppName: string): Answer => ({
    status: 200,
    body: {
      data: (embedsOf(dataAppName) ?? salesEmbeds).map(({ embedId, dashboardId }) => ({
        embedId,
        embedMetadata: { dataAppName },
        externalDashboard: { externalDashboardId: dashboardId },
      })),
      error: null,
    },
  });

  function rotate(authorization: string, body: unknown): Answer {
    const expireAt = typeof body === 'object' && body !== null && 'expireAt' in body ? body.expireAt : undefined;
    const seconds = typeof expireAt === 'number' || typeof expireAt === 'string' ? Number(expireAt) : NaN;
    if (!(seconds >= 0)) return toAnswer(refuse('INVALID_REQUEST_BODY', '"expireAt" must be a number'));
    return { status: 200, body: { key: apiKeys.rotate(authorization, seconds) } };
  }

  function answerApi(request: IncomingMessage, route: string, body: unknown): Answer {
    if (!withinLimit(countedAddress(request)))
      return toAnswer(refuse('RATE_LIMIT_EXCEEDED', 'Too many requests, please try again later.'));
    const next = scripted.shift();
    if (next !== undefined) return toAnswer(refuse(next, 'Scripted refusal'));
    const { authorization } = request.headers;
    const dataAppOfKey = apiKeys.authenticate(authorization);
    if (typeof dataAppOfKey !== 'string') return toAnswer(dataAppOfKey);
    const answer =
      route === 'POST /api/v2/guest-token/create'
        ? createGuestToken(dataAppOfKey, body)
        : route === 'GET /api/v2/data-app/embeds'
          ? listEmbeds(dataAppOfKey)
          : rotate(authorization ?? '', body);
    return { dataAppOfKey, ...answer };
  }

  function openDashboard(request: IncomingMessage, embedId: string): Answer {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const admission = tokens.admit(token, embedId);
    if (admission.kind === 'unknown') return { status: 401, body: { reason: 'This guest token is unknown.' } };
    if (admission.kind === 'expired') return { status: 401, body: { reason: 'This guest token has expired.' } };
    if (admission.kind === 'elsewhere')
      return { status: 403, body: { reason: 'This guest token does not open this embed.' } };
    const embeds = embedsOf(admission.body.dataAppName) ?? salesEmbeds;
    const embed = embeds.find((candidate) => candidate.embedId === embedId);
    if (embed === undefined) return { status: 404, body: { reason: 'There is no such embed.' } };
    return { status: 200, body: showDashboard(embed, admission.body) };
  }

  const apiRoutes = new Set([
    'POST /api/v2/guest-token/create',
    'GET /api/v2/data-app/embeds',
    'POST /api/v2/data-app/rotate-api',
  ]);

  function sendJson(response: ServerResponse, { status, body }: Answer): void {
    const bytes = Buffer.from(JSON.stringify(body));
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length });
    response.end(bytes);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const { pathname } = new URL(url, 'http://simulated');
    const path = pathname.startsWith(`${pathPrefix}/`) ? pathname.slice(pathPrefix.length) : '';
    const dashboard = /^\/simulated\/dashboards\/([^/]+)$/.exec(path)?.[1];
    const text = await readText(request);

    if (apiRoutes.has(`${method} ${path}`)) {
      const body = text === '' ? undefined : parseJson(text);
      const answer = answerApi(request, `${method} ${path}`, body);
      const { status, dataAppOfKey, code, token } = answer;
      requests.push({
        receivedAt: now(),
        method,
        path: pathname,
        headerNames: Object.keys(request.headers),
        body,
        status,
        ...(dataAppOfKey !== undefined && { dataAppOfKey }),
        ...(code !== undefined && { code }),
        ...(token !== undefined && { token }),
      });
      if (requests.length > keep) requests.shift();
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      return sendJson(response, answer);
    }

    if (dashboard !== undefined) {
      response.setHeader('access-control-allow-origin', '*');
      response.setHeader('access-control-allow-headers', 'authorization');
      if (method !== 'OPTIONS') return sendJson(response, openDashboard(request, dashboard));
      response.writeHead(204).end();
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
    refuseNext: (code, times = 1) => scripted.push(...Array<RefusalCode>(times).fill(code)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
