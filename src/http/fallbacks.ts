// Responses for requests without a route (405 with Allow if the path exists, otherwise 404) and for all errors, with
// one audit line if the request was for a guest token.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorRow, ServiceError } from '../errors.ts';
import type { Audit } from '../telemetry/audit.ts';
import { sendError, toServiceError } from './error-reply.ts';
import type { DecisionRecords } from './decision-record.ts';

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

interface RefuseOptions {
  /** The path whose refusals are audited. */
  readonly decisionPath: string;
  readonly records: DecisionRecords;
  readonly audit: Audit;
  readonly onRefused: (error: ServiceError, seconds: number) => void;
}

/** The same, with one audit line if the request was for a guest token. */
export function createAuditedRefuse({ decisionPath, records, audit, onRefused }: RefuseOptions): RefuseRequest {
  return async (request, reply, thrown) => {
    const error = toServiceError(thrown);
    const known = records.of(request);
    onRefused(error, records.secondsSince(known));
    // Check both: a route also matches other spellings of its path, and a request without a route has only its plain
    // path.
    if (request.routeOptions.url === decisionPath || pathOf(request.url) === decisionPath) {
      const { iss, sub, claim, position, upstreamCode, address } = error.detail;
      const subject = records.subjectOf(request);
      await audit.refused({
        ...subject,
        iss: subject.iss ?? iss,
        sub: subject.sub ?? sub,
        code: error.code,
        reason: error.reason,
        claim,
        position,
        upstreamCode,
        address,
      });
      known.trace?.end(error.code, error.detail.status ?? errorRow(error.code).status);
    }
    return refusePlainly(request, reply, error.code === 'INTERNAL_ERROR' ? thrown : error);
  };
}

/**
 * Refuses requests without a route before their body is read, so that the response cannot depend on it. `allow`: the
 * Allow header of each path.
 */
export const createRouteCheck =
  (allow: ReadonlyMap<string, string>) =>
  (request: FastifyRequest, reply: FastifyReply): void => {
    if (!request.is404) return;
    const methods = allow.get(pathOf(request.url));
    if (methods === undefined) throw new ServiceError('NOT_FOUND', 'not_found');
    reply.header('allow', methods);
    throw new ServiceError('METHOD_NOT_ALLOWED', 'method');
  };
