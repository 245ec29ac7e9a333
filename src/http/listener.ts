// A listener: a Fastify instance on a bounded server (bounded-server.ts), stricter than Fastify's defaults: no coercion
// or removal in bodies, a header limit with a regular error response, and a first step for every request, including
// those without a route.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify';
import type { FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '../errors.ts';
import { ConfigurationError, systemErrorCode } from '../problem.ts';
import { pathOf, refusePlainly, type RefuseRequest } from './error-reply.ts';
import { createBoundedServer, maxHeaders, type BoundedServerOptions } from './bounded-server.ts';
import { schemaCompilers } from './json-body.ts';

export interface ListenerOptions extends BoundedServerOptions {
  readonly logger: FastifyBaseLogger;
  /** Which peers' X-Forwarded-* headers are trusted; undefined: none. */
  readonly isTrustedProxy: ((address: string | undefined) => boolean) | undefined;
  /** The first step of every request. It refuses by throwing. */
  readonly admit: ((request: FastifyRequest, reply: FastifyReply) => Promise<void>) | undefined;
  /** Called with a well-formed Host. Throws to refuse it. */
  readonly checkHost: ((host: string | undefined, request: FastifyRequest) => void) | undefined;
  /** The value of `Allow` for each path that exists. */
  readonly methods: ReadonlyMap<string, string>;
  /** Sends every error response. */
  readonly refuse: RefuseRequest;
}

const bodyLimitBytes = 4_096;
const headerLimitBytes = 32_768;

/** Counts the header lines, and their size with separators: `name: value\r\n`. */
function refuseLargeHeaders(rawHeaders: readonly string[]): void {
  if (rawHeaders.length > 2 * maxHeaders) throw new ServiceError('HEADERS_TOO_LARGE', 'headers_too_large');
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length + 2;
  if (bytes > headerLimitBytes) throw new ServiceError('HEADERS_TOO_LARGE', 'headers_too_large');
}

/** RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 address in brackets, with an optional port; never empty. */
const hostField = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::\d{0,5})?$/;

/** The head of a request, as Node keeps it. */
interface RawHead {
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
}

/**
 * The Host (RFC 9112 §3.2); undefined for HTTP/1.0 without one. Throws INVALID_REQUEST if it is missing, malformed or
 * repeated (Node silently keeps the first), and for other versions of HTTP.
 */
export function readHost({ rawHeaders, httpVersion }: RawHead): string | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    throw new ServiceError('INVALID_REQUEST', 'version_refused', { status: 505 });
  }
  let host: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length !== 4 || name.toLowerCase() !== 'host') continue;
    const value = rawHeaders[index + 1] ?? '';
    if (host !== undefined || !hostField.test(value)) throw new ServiceError('INVALID_REQUEST', 'host_refused');
    host = value;
  }
  if (host === undefined && httpVersion === '1.1') throw new ServiceError('INVALID_REQUEST', 'host_refused');
  return host;
}

const safeRequestId = /^[A-Za-z0-9._-]{1,128}$/;

/** X-Request-Id: the caller's if it is safe to return and to log, otherwise a generated one. */
function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && safeRequestId.test(given) ? given : randomUUID();
}

/**
 * Ends the request of a caller who disconnected while a step waited: its body will never arrive. Call it after every
 * asynchronous step before the body is read.
 */
export function refuseIfGone({ raw }: FastifyRequest): void {
  if (raw.destroyed) throw new ServiceError('INVALID_REQUEST', 'caller_gone');
}

/** Creates a listener without routes. Every response has X-Request-Id; `refuse` sends every error response. */
export function createListener({
  logger,
  isTrustedProxy,
  admit,
  checkHost,
  methods,
  refuse,
  ...server
}: ListenerOptions): FastifyInstance {
  async function begin(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
    await admit?.(request, reply);
    const host = readHost(request.raw);
    checkHost?.(host, request);
    refuseIfGone(request);
    refuseLargeHeaders(request.raw.rawHeaders);
  }

  /** Before the body is read, so that the response cannot depend on it. */
  function refuseWithoutRoute(request: FastifyRequest, reply: FastifyReply): never {
    const allow = methods.get(pathOf(request.url));
    if (allow === undefined) throw new ServiceError('NOT_FOUND', 'not_found');
    reply.header('allow', allow);
    throw new ServiceError('METHOD_NOT_ALLOWED', 'method');
  }

  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // Not a logger for every request: the one line that is written for a request has its ID.
    childLoggerFactory: (parent) => parent,
    serverFactory: (handle) => createBoundedServer(server, handle),
    bodyLimit: bodyLimitBytes,
    trustProxy: isTrustedProxy ?? false,
    genReqId: (request) => requestIdOf(request.headers),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    schemaController: schemaCompilers,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
    // A malformed URL runs no hook, so call the first step here.
    frameworkErrors: (error, request, reply) => {
      begin(request, reply)
        .catch((thrown: unknown) => thrown)
        .then((thrown) => refuse(request, reply, thrown ?? error))
        .catch(() => reply.raw.destroy());
    },
    // bounded-server.ts handles these.
    clientErrorHandler: () => undefined,
  });

  app.addHook('onRequest', async (request, reply) => {
    await begin(request, reply);
    if (request.is404) refuseWithoutRoute(request, reply);
  });
  app.setErrorHandler(async (error, request, reply) => {
    try {
      return await refuse(request, reply, error);
    } catch (failure) {
      // If `refuse` throws, Fastify would send the message of that error.
      return refusePlainly(request, reply, failure);
    }
  });
  return app;
}

/**
 * Accepts connections. Returns the port, which differs from `address.port` if that is 0. Throws ConfigurationError,
 * which names the setting, if the port cannot be opened.
 * @param settingPrefix how the names of its two settings begin
 */
export async function openListener(
  app: FastifyInstance,
  address: { readonly host: string; readonly port: number },
  settingPrefix: '' | 'ADMIN_' = '',
): Promise<number> {
  try {
    await app.listen({ host: address.host, port: address.port });
  } catch (error) {
    const code = systemErrorCode(error);
    const isTaken = code === 'EADDRINUSE';
    const fix = isTaken
      ? 'Choose a free port or stop what uses it'
      : `Check ${settingPrefix}HOST and ${settingPrefix}PORT`;
    throw new ConfigurationError([
      { location: `${settingPrefix}PORT`, problem: `cannot be listened on (${code})`, fix },
    ]);
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : address.port;
}
