// POST /guest-token: authenticate, decide, issue. All steps are called here, in order. A step refuses by throwing,
// and `createAuditedRefuse` sends the refusal. Each request has one audit line, issued or refused, with what was
// verified before it.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import { errorRow, ServiceError } from '../errors.ts';
import type { IssueGuestToken } from '../guest-token/issue.ts';
import { compileSchema } from '../json-schema.ts';
import type { Decision } from '../policy/decision.ts';
import type { Audit, DecisionSubject } from '../telemetry/audit.ts';
import type { Cors } from './cors.ts';
import type { RequestTrace, StepName } from '../telemetry/tracing.ts';
import { pathOf, refusePlainly, toServiceError, type RefuseRequest } from './error-reply.ts';
import { refuseIfGone } from './listener.ts';

export interface GuestTokenRouteOptions {
  readonly basePath: string;
  readonly authenticate: (request: FastifyRequest) => Principal | Promise<Principal>;
  readonly limitUser: (request: FastifyRequest, reply: FastifyReply, principal: Principal) => Promise<void>;
  readonly decide: (principal: Principal, dataApp: string | undefined) => Decision;
  readonly issue: IssueGuestToken;
  /** Called after the response is sent, to compare with the shadow policy. Never throws. */
  readonly afterDecision?:
    | ((principal: Principal, dataApp: string | undefined, decision: Decision) => void)
    | undefined;
  readonly isShuttingDown: () => boolean;
  readonly cors: Cors;
  readonly records: DecisionRecords;
  readonly audit: Audit;
  readonly onIssued: (seconds: number) => void;
}

export const guestTokenPath = '/guest-token';

/** No body, or an object that names a data app. */
const bodySchema = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: { dataApp: { type: 'string', minLength: 1, maxLength: 256 } },
} as const;

export const validateGuestTokenBody = compileSchema('guestTokenBody', bodySchema);

const stepOf = <T>({ trace }: DecisionRecord, name: StepName, run: () => T): T =>
  trace === undefined ? run() : trace.step(name, run);

const within = <T>({ trace }: DecisionRecord, run: () => T): T => (trace === undefined ? run() : trace.within(run));

const dataAppOf = (body: unknown): string | undefined => (body as { dataApp?: string } | null | undefined)?.dataApp;

export function registerGuestTokenRoute(app: FastifyInstance, options: GuestTokenRouteOptions): void {
  const { basePath, cors, records, audit, onIssued } = options;
  const { authenticate, limitUser, decide, issue, afterDecision, isShuttingDown } = options;

  app.route({
    method: 'POST',
    url: basePath + guestTokenPath,
    schema: { body: bodySchema },
    validatorCompiler: () => validateGuestTokenBody,
    onRequest: async (request) => {
      const record = records.of(request);
      if (isShuttingDown()) throw new ServiceError('SHUTTING_DOWN', 'shutting_down');
      const principal = stepOf(record, 'verify', () => authenticate(request));
      // Awaited only if needed: for a remembered token, each `await` is a noticeable part of the cost.
      record.principal = principal instanceof Promise ? await principal : principal;
      refuseIfGone(request);
    },
    handler: async (request, reply) => {
      const record = records.of(request);
      const { principal } = record;
      if (principal === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
      await limitUser(request, reply, principal);

      const dataApp = dataAppOf(request.body);
      const decision = stepOf(record, 'decide', () => decide(principal, dataApp));
      record.decision = decision;
      if (afterDecision !== undefined) reply.raw.once('finish', () => afterDecision(principal, dataApp, decision));
      if (decision.kind === 'deny') {
        const { code, reason, ...detail } = decision.denial;
        throw new ServiceError(code, reason, detail);
      }

      const { grant } = decision;
      audit.assertCanRecord();
      const { token, tokenSha256, grantTag, expiresInSeconds, reused } = await within(record, () =>
        issue(grant, principal),
      );
      const { requestSha256 } = grant;
      await audit.issued({ ...records.subjectOf(request), requestSha256, tokenSha256, reused, expiresInSeconds });
      onIssued(records.secondsSince(record));
      record.trace?.end('ISSUED', 200);
      reply
        .header('cache-control', 'no-store')
        .header('guest-token-expires-in', String(expiresInSeconds))
        .header('guest-token-grant', grantTag);
      return { token };
    },
  });

  // The preflight response: allowed methods and, for an allowed origin, allowed headers. Never mints.
  app.options(basePath + guestTokenPath, (request, reply) =>
    reply
      .headers({ allow: 'POST, OPTIONS', 'cache-control': 'no-store', ...cors.preflightHeaders(request.headers) })
      .code(204)
      .send(),
  );
}

/** What is verified about a request, step by step, so that the audit line of a refusal holds exactly that. */
interface DecisionRecord {
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

interface DecisionRecords {
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

interface RefuseOptions {
  /** The path whose refusals are audited. */
  readonly decisionPath: string;
  readonly records: DecisionRecords;
  readonly audit: Audit;
  readonly onRefused: (error: ServiceError, seconds: number) => void;
}

/** Sends the error response for any thrown value, and writes one audit line if the request was for a guest token. */
export function createAuditedRefuse({ decisionPath, records, audit, onRefused }: RefuseOptions): RefuseRequest {
  return async (request, reply, thrown) => {
    const error = toServiceError(thrown);
    const record = records.of(request);
    onRefused(error, records.secondsSince(record));
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
      record.trace?.end(error.code, error.detail.status ?? errorRow(error.code).status);
    }
    return refusePlainly(request, reply, error.code === 'INTERNAL_ERROR' ? thrown : error);
  };
}
