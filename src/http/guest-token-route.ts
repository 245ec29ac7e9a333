// POST /guest-token: authenticate, decide, issue. All steps are called here, in order. A step refuses by throwing;
// error-reply.ts sends the error response.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../authn/principal.ts';
import { ServiceError } from '../errors.ts';
import type { IssueGuestToken } from '../guest-token/issue.ts';
import { compileSchema } from '../json-schema.ts';
import type { Decision } from '../policy/decision.ts';
import type { Audit } from '../telemetry/audit.ts';
import type { Cors } from './cors.ts';
import type { StepName } from '../telemetry/tracing.ts';
import type { DecisionRecord, DecisionRecords } from './decision-record.ts';
import { refuseIfGone } from './server.ts';

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
      const known = records.of(request);
      if (isShuttingDown()) throw new ServiceError('SHUTTING_DOWN', 'shutting_down');
      const principal = stepOf(known, 'verify', () => authenticate(request));
      // Awaited only if needed: for a remembered token, each `await` is a noticeable part of the cost.
      known.principal = principal instanceof Promise ? await principal : principal;
      refuseIfGone(request);
    },
    handler: async (request, reply) => {
      const known = records.of(request);
      const { principal } = known;
      if (principal === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
      await limitUser(request, reply, principal);

      const dataApp = dataAppOf(request.body);
      const decision = stepOf(known, 'decide', () => decide(principal, dataApp));
      known.decision = decision;
      if (afterDecision !== undefined) reply.raw.once('finish', () => afterDecision(principal, dataApp, decision));
      if (decision.kind === 'deny') {
        const { code, reason, ...detail } = decision.denial;
        throw new ServiceError(code, reason, detail);
      }

      const { grant } = decision;
      audit.expectRecord();
      const { token, tokenSha256, grantTag, expiresInSeconds, reused } = await within(known, () =>
        issue(grant, principal),
      );
      const { requestSha256 } = grant;
      await audit.issued({ ...records.subjectOf(request), requestSha256, tokenSha256, reused, expiresInSeconds });
      onIssued(records.secondsSince(known));
      known.trace?.end('ISSUED', 200);
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
