// A Fastify instance on a bounded listener (listener.ts), with the edges that its defaults leave open: no coercion or
// silent removal in bodies, a limit on headers that answers in our own words, and one first step for every request,
// also for those that lead to no route.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify';
import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.ts';
import type { Refuse } from './fallbacks.ts';
import { createListener, type ListenerOptions } from './listener.ts';
import { requestIdOf } from './request-id.ts';

export interface ServerOptions extends ListenerOptions {
  readonly logger: FastifyBaseLogger;
  /** Whose X-Forwarded-* headers count; undefined: nobody's. */
  readonly isTrustedProxy: ((address: string | undefined) => boolean) | undefined;
  /** The first step of every request, before anything of it is looked at. A throw is its refusal. */
  readonly admit: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** Refuses what leads to no route, before the body is read. */
  readonly checkRoute: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Answers every refusal. */
  readonly refuse: Refuse;
}

const bodyLimitBytes = 4_096;
const headerLimitBytes = 32_768;

/** Names, values and what stands around each: `name: value\r\n`. */
function refuseLargeHeaders(rawHeaders: readonly string[]): void {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length + 2;
  if (bytes > headerLimitBytes) throw new ServiceError('HEADERS_TOO_LARGE', 'headers_too_large');
}

/**
 * Ends the request of a caller who hung up while a step waited: its body will never come, and reading it would wait for
 * ever. Call it after every step that waits, before the body is read.
 */
export function refuseIfGone({ raw }: FastifyRequest): void {
  if (raw.destroyed) throw new ServiceError('INVALID_REQUEST', 'caller_gone');
}

/** Creates a listener without routes. Every answer carries X-Request-Id; every error is answered by `refuse`. */
export function createServer({
  logger,
  isTrustedProxy,
  admit,
  checkRoute,
  refuse,
  ...listener
}: ServerOptions): FastifyInstance {
  async function begin(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
    await admit(request, reply);
    refuseIfGone(request);
    refuseLargeHeaders(request.raw.rawHeaders);
  }

  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    serverFactory: (handle) => createListener(listener, handle),
    bodyLimit: bodyLimitBytes,
    trustProxy: isTrustedProxy ?? false,
    genReqId: (request) => requestIdOf(request.headers),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allErrors: false } },
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
    // A URL that cannot be read passes no hook, so the first step is taken here.
    frameworkErrors: (error, request, reply) => {
      begin(request, reply)
        .catch((thrown: unknown) => thrown)
        .then((thrown) => refuse(request, reply, thrown ?? error))
        .catch(() => reply.raw.destroy());
    },
    // listener.ts answers these.
    clientErrorHandler: () => undefined,
  });

  app.addHook('onRequest', async (request, reply) => {
    await begin(request, reply);
    checkRoute(request, reply);
  });
  app.setErrorHandler((error, request, reply) => refuse(request, reply, error));
  return app;
}
