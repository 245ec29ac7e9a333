// Collects what is verified about a request for a guest token, step by step, so that the audit line of a refusal holds
// exactly what was verified before it.
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
  principal: Principal | undefined;
  decision: Decision | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    decisionRecord: DecisionRecord | undefined;
  }
}

export interface DecisionRecords {
  readonly begin: (request: FastifyRequest) => DecisionRecord;
  /** The record of the request; a new one if the request was refused before its route. */
  readonly of: (request: FastifyRequest) => DecisionRecord;
  readonly secondsSince: (record: DecisionRecord) => number;
  readonly subjectOf: (request: FastifyRequest) => DecisionSubject;
}

/** @param beginTrace set only if tracing is enabled; returns undefined for a request that is not sampled */
export function createDecisionRecords(
  clock: Clock,
  beginTrace?: (request: FastifyRequest) => RequestTrace | undefined,
): DecisionRecords {
  const begin = (request: FastifyRequest): DecisionRecord => {
    const record: DecisionRecord = {
      startedAt: clock.monotonic(),
      trace: beginTrace?.(request),
      principal: undefined,
      decision: undefined,
    };
    request.decisionRecord = record;
    return record;
  };
  const of = (request: FastifyRequest): DecisionRecord => request.decisionRecord ?? begin(request);

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
