// What no route answers: 405 with Allow where the path exists, else 404; and the error handler of last resort.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.ts';
import { sendError, toServiceError } from './error-reply.ts';

export interface FallbackOptions {
  /** Allowed methods by path, as the Allow header lists them. */
  readonly allow: ReadonlyMap<string, string>;
  /** Told of every refusal sent from here. */
  readonly onRefusal: (request: FastifyRequest, error: ServiceError) => void;
}

/** The path alone: no query, no fragment. */
export const pathOf = (url: string): string => url.split(/[?#]/, 1)[0] ?? '';

export function registerFallbacks(app: FastifyInstance, { allow, onRefusal }: FallbackOptions): void {
  const refuse = (
    request: FastifyRequest,
    reply: FastifyReply,
    error: ServiceError,
    thrown?: unknown,
  ): FastifyReply => {
    if (error.code === 'INTERNAL_ERROR')
      request.log.error({ err: thrown, requestId: request.id }, 'a bug refused a request');
    onRefusal(request, error);
    return sendError(request, reply, error);
  };

  app.setNotFoundHandler((request, reply) => {
    const methods = allow.get(pathOf(request.url));
    if (methods === undefined) return refuse(request, reply, new ServiceError('NOT_FOUND', 'not_found'));
    reply.header('allow', methods);
    return refuse(request, reply, new ServiceError('METHOD_NOT_ALLOWED', 'method'));
  });

  app.setErrorHandler((error, request, reply) => refuse(request, reply, toServiceError(error), error));
}
