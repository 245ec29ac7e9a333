// What is known of a request for a guest token so far, kept beside it, so that a refusal at any step is audited with
// everything that was verified before it and nothing else.
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Decision } from '../policy/decision.ts';
import type { DecisionSubject } from '../telemetry/audit.ts';

export interface DecisionRecord {
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  principal?: Principal;
  decision?: Decision;
}

export interface DecisionRecords {
  readonly begin: (request: FastifyRequest) => DecisionRecord;
  /** What was begun, or a beginning of now for a request that was refused before its route. */
  readonly of: (request: FastifyRequest) => DecisionRecord;
  readonly secondsSince: (progress: DecisionRecord) => number;
  readonly subjectOf: (request: FastifyRequest) => DecisionSubject;
}

export function createDecisionRecords(clock: Clock): DecisionRecords {
  const book = new WeakMap<FastifyRequest, DecisionRecord>();

  const begin = (request: FastifyRequest): DecisionRecord => {
    const progress: DecisionRecord = { startedAt: clock.monotonic() };
    book.set(request, progress);
    return progress;
  };
  const of = (request: FastifyRequest): DecisionRecord => book.get(request) ?? begin(request);

  return {
    begin,
    of,
    secondsSince: ({ startedAt }) => (clock.monotonic() - startedAt) / 1000,
    subjectOf: (request) => {
      const { startedAt, principal, decision } = of(request);
      const grant = decision?.kind === 'permit' ? decision.grant : undefined;
      return {
        requestId: request.id,
        iss: principal?.iss,
        sub: principal?.sub,
        dataApp: decision?.kind === 'deny' ? decision.dataApp : grant?.request.dataAppName,
        clientId: grant?.request.clientId,
        policyRevision: decision?.kind === 'deny' ? decision.policyRevision : grant?.policyRevision,
        durationMs: clock.monotonic() - startedAt,
      };
    },
  };
}
