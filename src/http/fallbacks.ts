// What no route answers: 405 with Allow where the path exists, else 404; and the one error handler, which audits every
// refusal of a guest token, wherever on the way it fell.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.ts';
import type { Audit } from '../telemetry/audit.ts';
import { sendError, toServiceError } from './error-reply.ts';
import type { DecisionRecords } from './decision-record.ts';

export type Refuse = (request: FastifyRequest, reply: FastifyReply, thrown: unknown) => FastifyReply;

/** The path alone, without query and fragment. */
export const pathOf = (url: string): string => url.split(/[?#]/, 1)[0] ?? '';

/** Answers any thrown value with its row of the error table. */
export const refusePlainly: Refuse = (request, reply, thrown) => {
  const error = toServiceError(thrown);
  if (error.code === 'INTERNAL_ERROR')
    request.log.error({ err: thrown, requestId: request.id }, 'a bug refused a request');
  return sendError(request, reply, error);
};

interface RefuseOptions {
  /** The path whose refusals are decisions. */
  readonly decisionPath: string;
  readonly progress: DecisionRecords;
  readonly audit: Audit;
  readonly onRefused: (error: ServiceError, seconds: number) => void;
}

/** The same, with one audit line if the request was for a guest token. */
export function createAuditedRefuse({ decisionPath, progress, audit, onRefused }: RefuseOptions): Refuse {
  return (request, reply, thrown) => {
    const error = toServiceError(thrown);
    const known = progress.of(request);
    // Both: a route is also found by other spellings of its path, and what no route has answers by its plain spelling.
    if (request.routeOptions.url === decisionPath || pathOf(request.url) === decisionPath) {
      const { iss, sub, claim, position, upstreamCode } = error.detail;
      const subject = progress.subjectOf(request);
      audit.refused({
        ...subject,
        iss: subject.iss ?? iss,
        sub: subject.sub ?? sub,
        code: error.code,
        reason: error.reason,
        claim,
        position,
        upstreamCode,
      });
    }
    onRefused(error, progress.secondsSince(known));
    return refusePlainly(request, reply, error.code === 'INTERNAL_ERROR' ? thrown : error);
  };
}

/** Registers the handlers. `allow`: the methods of every path there is, as the Allow header lists them. */
export function registerFallbacks(app: FastifyInstance, allow: ReadonlyMap<string, string>, refuse: Refuse): void {
  const refuseUnrouted = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const methods = allow.get(pathOf(request.url));
    if (methods === undefined) return refuse(request, reply, new ServiceError('NOT_FOUND', 'not_found'));
    reply.header('allow', methods);
    return refuse(request, reply, new ServiceError('METHOD_NOT_ALLOWED', 'method'));
  };
  // Before the body is read: the answer to what leads nowhere must not depend on it. This hook is the last to be added.
  // `*` is @fastify/cors's route for OPTIONS of anything, which it has even with its preflight switched off.
  app.addHook('onRequest', async (request, reply) =>
    request.is404 || request.routeOptions.url === '*' ? refuseUnrouted(request, reply) : undefined,
  );
  app.setNotFoundHandler(refuseUnrouted);
  app.setErrorHandler((error, request, reply) => refuse(request, reply, error));
}
