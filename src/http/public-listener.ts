// The public listener, assembled: the hooks that every request meets, in their order, then the routes.
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Authenticator } from '../authn/authenticate.ts';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/load-config.ts';
import type { ErrorCode } from '../errors.ts';
import type { IssueGuestToken } from '../guest-token/guest-token.ts';
import type { Decision } from '../policy/decision.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { Secret } from '../secrets/secret.ts';
import type { Audit } from '../telemetry/audit.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { browserHelperPath, registerBrowserHelper } from './browser-helper.ts';
import { createAuthenticate } from './authentication-step.ts';
import { registerCors } from './cors.ts';
import { createAuditedRefuse, registerFallbacks } from './fallbacks.ts';
import { guestTokenPath, registerGuestTokenRoute } from './guest-token-route.ts';
import { probePaths, registerHealth, type Readiness } from './health.ts';
import { registerJsonBody } from './json-body.ts';
import { registerJwt } from './jwt.ts';
import { registerLimits } from './rate-limits.ts';
import { openApiPath, registerOpenApi } from './openapi.ts';
import { createDecisionRecords } from './decision-record.ts';
import { createServer } from './server.ts';

/** `draining`: not ready, but serving. `closing`: new work is refused. */
export type Phase = 'serving' | 'draining' | 'closing';

export interface PublicListenerOptions {
  readonly config: Config;
  readonly logger: FastifyBaseLogger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly audit: Audit;
  readonly authenticator: Authenticator;
  readonly decide: (principal: Principal, dataApp: string | undefined) => Decision;
  readonly afterDecision?: (principal: Principal, dataApp: string | undefined, decision: Decision) => void;
  readonly issue: IssueGuestToken;
  readonly readiness: Readiness;
  readonly phase: () => Phase;
  /** Shares the rate limits; `secret` keys the hashes under which callers are counted there. */
  readonly redis?: { readonly link: RedisLink; readonly secret: () => Secret };
  readonly openApiDocument: string;
  readonly browserHelper: string;
}

export async function createPublicListener(options: PublicListenerOptions): Promise<FastifyInstance> {
  const { config, logger, clock, metrics, audit, phase } = options;
  const progress = createDecisionRecords(clock);
  const observe = (code: ErrorCode | 'ISSUED', seconds: number): void => {
    metrics.requests.inc({ code });
    metrics.requestSeconds.observe(seconds);
  };

  const server = createServer({
    logger,
    trustProxy: config.trustProxy,
    onProtocolError: () => metrics.protocolErrors.inc(),
  });
  await registerCors(server, { origins: config.corsOrigins, credentials: config.cookieName !== undefined });
  const limits = await registerLimits(server, {
    address: config.addressLimit,
    user: config.userLimit,
    clock,
    onLimited: (limit) => metrics.rateLimited.inc({ limit }),
    ...(options.redis === undefined ? {} : { redis: options.redis }),
  });
  const verifierOf = await registerJwt(server, config.issuers);
  registerJsonBody(server);

  server.addHook('onRequest', async (request, reply) => {
    if (phase() !== 'serving') reply.header('connection', 'close');
    progress.begin(request);
    // By hand and here, because a route's own onRequest (authentication) would run before the plugin's.
    await limits.limitAddress(request, reply);
  });

  registerGuestTokenRoute(server, {
    authenticate: createAuthenticate(options.authenticator, verifierOf, {
      ...(config.cookieName === undefined ? {} : { cookieName: config.cookieName }),
      allowedOrigins: config.corsOrigins,
    }),
    limitUser: limits.limitUser,
    decide: options.decide,
    issue: options.issue,
    ...(options.afterDecision === undefined ? {} : { afterDecision: options.afterDecision }),
    isShuttingDown: () => phase() === 'closing',
    progress,
    audit,
    onIssued: (seconds) => observe('ISSUED', seconds),
  });
  registerHealth(server, options.readiness);
  registerOpenApi(server, options.openApiDocument);
  registerBrowserHelper(server, options.browserHelper);
  registerFallbacks(
    server,
    new Map([
      [guestTokenPath, 'POST, OPTIONS'],
      ...[openApiPath, browserHelperPath, ...probePaths].map((path) => [path, 'GET, HEAD'] as const),
    ]),
    createAuditedRefuse({
      decisionPath: guestTokenPath,
      progress,
      audit,
      onRefused: ({ code }, seconds) => observe(code, seconds),
    }),
  );
  return server;
}
