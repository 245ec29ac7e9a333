// POST /guest-token: who is calling, what they may have, getting it. Every step is named here, in its order.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { IssueGuestToken } from '../guest-token/guest-token.ts';
import type { Decision } from '../policy/decision.ts';
import type { Audit, DecisionSubject } from '../telemetry/audit.ts';
import { answerPreflight } from './cors.ts';
import { sendError, toServiceError } from './error-reply.ts';

export interface GuestTokenRouteOptions {
  readonly authenticate: (request: FastifyRequest) => Promise<Principal>;
  readonly limitUser: (request: FastifyRequest, reply: FastifyReply, principal: Principal) => Promise<void>;
  readonly decide: (principal: Principal, dataApp: string | undefined) => Decision;
  readonly issue: IssueGuestToken;
  /** After the answer is sent: what a shadow policy would have decided. Never throws. */
  readonly afterDecision: (principal: Principal, dataApp: string | undefined, decision: Decision) => void;
  readonly isShuttingDown: () => boolean;
  readonly audit: Audit;
  readonly onOutcome: (outcome: 'ISSUED' | ServiceError['code'], seconds: number) => void;
  readonly clock: Clock;
}

export const guestTokenPath = '/guest-token';

/** What is known of a request so far; kept beside it so that a refusal at any step is audited with it. */
interface Progress {
  readonly startedAt: number;
  principal?: Principal;
  decision?: Decision;
}

const bodySchema = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: { dataApp: { type: 'string', minLength: 1, maxLength: 256 } },
} as const;

const dataAppOf = (body: unknown): string | undefined => (body as { dataApp?: string } | null | undefined)?.dataApp;

export function registerGuestTokenRoute(app: FastifyInstance, options: GuestTokenRouteOptions): void {
  const { authenticate, limitUser, decide, issue, afterDecision, isShuttingDown, audit, onOutcome, clock } = options;
  const progressOf = new WeakMap<FastifyRequest, Progress>();

  const secondsSince = ({ startedAt }: Progress): number => (clock.monotonic() - startedAt) / 1000;

  function subjectOf(request: FastifyRequest, progress: Progress): DecisionSubject {
    const grant = progress.decision?.kind === 'permit' ? progress.decision.grant : undefined;
    return {
      requestId: request.id,
      iss: progress.principal?.iss,
      sub: progress.principal?.sub,
      dataApp: grant?.request.dataAppName,
      clientId: grant?.request.clientId,
      policyRevision:
        grant?.policyRevision ?? (progress.decision?.kind === 'deny' ? progress.decision.policyRevision : undefined),
      durationMs: clock.monotonic() - progress.startedAt,
    };
  }

  function refuse(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
    const error = toServiceError(thrown);
    const progress = progressOf.get(request) ?? { startedAt: clock.monotonic() };
    const { iss, sub, claim, position, upstreamCode } = error.detail;
    const subject = subjectOf(request, progress);
    if (error.code === 'INTERNAL_ERROR')
      request.log.error({ err: thrown, requestId: request.id }, 'a bug refused a request');
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
    onOutcome(error.code, secondsSince(progress));
    return sendError(request, reply, error);
  }

  app.route({
    method: 'POST',
    url: guestTokenPath,
    schema: { body: bodySchema },
    errorHandler: (error, request, reply) => refuse(request, reply, error),
    onRequest: async (request) => {
      const progress: Progress = { startedAt: clock.monotonic() };
      progressOf.set(request, progress);
      if (isShuttingDown()) throw new ServiceError('SHUTTING_DOWN', 'shutting_down');
      progress.principal = await authenticate(request);
    },
    handler: async (request, reply) => {
      const progress = progressOf.get(request);
      const principal = progress?.principal;
      if (progress === undefined || principal === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
      await limitUser(request, reply, principal);

      const dataApp = dataAppOf(request.body);
      const decision = decide(principal, dataApp);
      progress.decision = decision;
      reply.raw.once('finish', () => afterDecision(principal, dataApp, decision));
      if (decision.kind === 'deny') {
        const { code, reason, ...detail } = decision.denial;
        throw new ServiceError(code, reason, detail);
      }

      const { token, expiresInSeconds, reused } = await issue(decision.grant, principal);
      audit.issued({ ...subjectOf(request, progress), token, reused, expiresInSeconds });
      onOutcome('ISSUED', secondsSince(progress));
      reply.header('cache-control', 'no-store').header('guest-token-expires-in', String(expiresInSeconds));
      return { token };
    },
  });

  app.options(guestTokenPath, answerPreflight);

  return;
}
