// Refuses requests: turns every error into the response of its code, with fixed messages only. An unknown error is a
// bug: 500.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorRow, isServiceError, ServiceError, type ErrorCode } from '../errors.ts';

/** Errors of Fastify, by their code. */
const fastifyRefusals: ReadonlyMap<string, () => ServiceError> = new Map([
  ['FST_ERR_CTP_BODY_TOO_LARGE', () => new ServiceError('BODY_TOO_LARGE', 'body_too_large')],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', () => new ServiceError('UNSUPPORTED_MEDIA_TYPE', 'media_type')],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', () => new ServiceError('INVALID_REQUEST', 'body_malformed')],
  ['FST_ERR_VALIDATION', () => new ServiceError('INVALID_REQUEST', 'body_malformed')],
  ['FST_ERR_BAD_URL', () => new ServiceError('INVALID_REQUEST', 'path_malformed')],
]);

/** Converts any thrown value to a ServiceError. Unknown ones become INTERNAL_ERROR, never 401 or 200. */
export function toServiceError(error: unknown): ServiceError {
  if (isServiceError(error)) return error;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const refusal = code === undefined ? undefined : fastifyRefusals.get(code);
  if (refusal !== undefined) return refusal();
  // A client that ends its body early causes a stream error without a Fastify code.
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new ServiceError('INVALID_REQUEST', 'body_malformed');
  return new ServiceError('INTERNAL_ERROR', 'bug');
}

/** The body of every error response. */
export const errorBody = (code: ErrorCode, requestId: string, message?: string): string =>
  JSON.stringify({ error: { code, message: message ?? errorRow(code).message, requestId } });

/** Sends the error with the status, message and headers of its code. */
export function sendError(request: FastifyRequest, reply: FastifyReply, error: ServiceError): FastifyReply {
  const row = errorRow(error.code);
  if (row.challenge !== undefined) {
    reply.header('www-authenticate', row.challenge === 'bare' ? 'Bearer' : `Bearer error="${row.challenge}"`);
  }
  const retryAfter = error.detail.retryAfterSeconds ?? (row.retryable && row.status !== 504 ? 1 : undefined);
  if (retryAfter !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfter))));
  return reply
    .code(error.detail.status ?? row.status)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(errorBody(error.code, request.id, error.detail.message));
}

export type RefuseRequest = (request: FastifyRequest, reply: FastifyReply, thrown: unknown) => Promise<FastifyReply>;

/** The path alone, without query and fragment. */
export const pathOf = (url: string): string => url.split(/[?#]/, 1)[0] ?? '';

/** Sends the error response for any thrown value. */
export const refusePlainly: RefuseRequest = async (request, reply, thrown) => {
  const error = toServiceError(thrown);
  if (error.code === 'INTERNAL_ERROR')
    request.log.error({ err: thrown, requestId: request.id }, 'the request failed with an internal error');
  return sendError(request, reply, error);
};
