// A Fastify instance with the edges that its defaults leave open: time-outs that end slow clients within seconds,
// no coercion or silent removal in bodies, and protocol errors answered in our own words.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';
import { ServiceError } from '../errors.ts';
import { errorBody, sendError, toServiceError } from './error-reply.ts';
import { requestIdOf } from './request-id.ts';

export interface ServerOptions {
  readonly logger: FastifyBaseLogger;
  /** Addresses and CIDRs whose X-Forwarded-* headers count; empty for nobody. */
  readonly trustProxy: readonly string[];
  /** Told of every request that was refused before it became a request to Fastify. */
  readonly onProtocolError: () => void;
}

const bodyLimitBytes = 4096;
const headerLimitBytes = 16_384;
const receiveTimeoutMs = 10_000;
const keepAliveTimeoutMs = 5_000;

/** Status for what node:http refuses while parsing; everything else is a plain 400. */
const protocolStatus: ReadonlyMap<string, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Content Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
  ['HPE_INVALID_VERSION', '505 HTTP Version Not Supported'],
  ['HPE_PAUSED_H2_UPGRADE', '505 HTTP Version Not Supported'],
]);

function refuseRaw(socket: Socket, status: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = requestIdOf({});
  const body = errorBody(status.startsWith('413') ? 'BODY_TOO_LARGE' : 'INVALID_REQUEST', requestId);
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 address in brackets, perhaps with a port; never empty for http. */
const hostField = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::\d{0,5})?$/;

/** RFC 9112 §3.2: exactly one valid Host line in HTTP/1.1; Node silently keeps the first of several. */
function refuseHostConfusion(rawHeaders: readonly string[], httpVersion: string): void {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    throw new ServiceError('INVALID_REQUEST', 'version_refused', { status: 505 });
  }
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length !== 4 || name.toLowerCase() !== 'host') continue;
    hosts += 1;
    if (!hostField.test(rawHeaders[index + 1] ?? '')) throw new ServiceError('INVALID_REQUEST', 'host_refused');
  }
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) throw new ServiceError('INVALID_REQUEST', 'host_refused');
}

/** Creates a listener without routes. Every answer carries X-Request-Id; every error is sent by error-reply.ts. */
export function createServer({ logger, trustProxy, onProtocolError }: ServerOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    genReqId: (request) => requestIdOf(request.headers),
    requestTimeout: receiveTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    http: {
      maxHeaderSize: headerLimitBytes,
      headersTimeout: receiveTimeoutMs,
      connectionsCheckingInterval: 1_000,
      requireHostHeader: false,
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allErrors: false } },
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      sendError(request, reply, toServiceError(error));
    },
    clientErrorHandler: (error, socket) => {
      onProtocolError();
      refuseRaw(socket, protocolStatus.get(error.code) ?? '400 Bad Request');
    },
  });

  app.server.on('checkExpectation', (request, response) => app.routing(request, response));
  app.server.on('connect', (_request, socket: Socket) => {
    onProtocolError();
    refuseRaw(socket, '400 Bad Request');
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    refuseHostConfusion(request.raw.rawHeaders, request.raw.httpVersion);
  });

  return app;
}
