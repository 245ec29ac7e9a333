// What is known of a request for a guest token so far, kept beside it, so that a refusal at any step is audited with
// everything that was verified before it and nothing else.
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Decision } from '../policy/decision.ts';
import type { DecisionSubject } from '../telemetry/audit.ts';
import type { RequestTrace } from '../telemetry/tracing.ts';

export interface DecisionRecord {
  readonly trace: RequestTrace | undefined;
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

/** @param beginTrace only where tracing is on; undefined for a request that is not traced */
export function createDecisionRecords(
  clock: Clock,
  beginTrace?: (request: FastifyRequest) => RequestTrace | undefined,
): DecisionRecords {
  const book = new WeakMap<FastifyRequest, DecisionRecord>();

  const begin = (request: FastifyRequest): DecisionRecord => {
    const progress: DecisionRecord = { startedAt: clock.monotonic(), trace: beginTrace?.(request) };
    book.set(request, progress);
    return progress;
  };
  const of = (request: FastifyRequest): DecisionRecord => book.get(request) ?? begin(request);

  return {
    begin,
    of,
    secondsSince: ({ startedAt }) => (clock.monotonic() - startedAt) / 1000,
    subjectOf: (request) => {
      const { startedAt, principal, decision, trace } = of(request);
      const grant = decision?.kind === 'permit' ? decision.grant : undefined;
      return {
        requestId: request.id,
        trace_id: trace?.traceId,
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
