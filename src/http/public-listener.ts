// Assembles the public listener: the steps of every request, in order, then the routes.
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import type { Authenticator } from '../authn/authenticator.ts';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/read-settings.ts';
import type { ErrorCode } from '../errors.ts';
import type { IssueGuestToken } from '../guest-token/issue.ts';
import { toAddressKeys, toShortAddress, createTrustedProxies } from './client-address.ts';
import type { Decision } from '../policy/decision.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { Secret } from '../secrets/secret.ts';
import type { Audit } from '../telemetry/audit.ts';
import type { EdgeEvents } from '../telemetry/edge-events.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { browserHelperPath, openApiPath, registerBrowserHelper, registerOpenApi } from './served-files.ts';
import type { TokenRefusal } from '../authn/token-refusal.ts';
import { createAuthenticationStep, ownOrigin } from './authentication-step.ts';
import { publicConnectionBounds } from './client-connections.ts';
import { createCors } from './cors.ts';
import { pathOf } from './error-reply.ts';
import {
  createAuditedRefuse,
  createDecisionRecords,
  guestTokenPath,
  registerGuestTokenRoute,
} from './guest-token-route.ts';
import { probePaths, registerHealth, type Readiness } from './health.ts';
import { registerJsonBody } from './json-body.ts';
import { createProbeCheck, registerLimits } from './rate-limits.ts';
import { originHeaderOf, otherProtocolOf } from './raw-refusal.ts';
import { createListener } from './listener.ts';

/** Headers in which proxies send the client's address. Only the first is read, and only from proxies in TRUST_PROXY. */
const forwardingHeaders = ['x-forwarded-for', 'forwarded', 'x-real-ip'] as const;

/** `draining`: not ready, but serving. `closing`: new work is refused. */
export type Phase = 'serving' | 'draining' | 'closing';

export interface PublicListenerOptions {
  readonly settings: Settings;
  readonly logger: FastifyBaseLogger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly events: EdgeEvents;
  readonly audit: Audit;
  readonly authenticator: Authenticator;
  readonly onRefusedToken: (refusal: TokenRefusal, requestId: string) => void;
  readonly decide: (principal: Principal, dataApp: string | undefined) => Decision;
  readonly afterDecision?:
    | ((principal: Principal, dataApp: string | undefined, decision: Decision) => void)
    | undefined;
  readonly issue: IssueGuestToken;
  readonly readiness: Readiness;
  readonly phase: () => Phase;
  /** Shares the rate limits; `secret` keys the hashes of callers stored there. */
  readonly redis?: { readonly link: RedisLink; readonly secret: () => Secret } | undefined;
  readonly tracing?: Pick<Tracing, 'begin'> | undefined;
  readonly openApiDocument: string;
  readonly browserHelper: string;
}

export async function createPublicListener(options: PublicListenerOptions): Promise<FastifyInstance> {
  const { settings, logger, clock, metrics, events, audit, phase } = options;
  const { basePath } = settings;
  const observe = (code: ErrorCode | 'ISSUED', seconds: number): void => {
    metrics.requests.inc({ code });
    metrics.requestSeconds.observe(seconds);
  };
  /** Whether the credential is sent without the page's code: a cookie, or a gateway's header. */
  const isAmbient = settings.cookieName !== undefined || settings.headerName !== undefined;
  const cors = createCors({ origins: settings.corsOrigins, credentials: isAmbient });
  const isTrustedProxy = createTrustedProxies(settings.trustProxy);
  const { tracing } = options;
  const decisionPath = basePath + guestTokenPath;
  const records = createDecisionRecords(
    clock,
    tracing &&
      ((request) =>
        request.method === 'POST' && pathOf(request.url) === decisionPath
          ? tracing.begin({
              method: request.method,
              route: decisionPath,
              requestId: request.id,
              traceparent: request.headers['traceparent'],
              tracestate: request.headers['tracestate'],
              isTrusted: isTrustedProxy?.(request.socket.remoteAddress) === true,
            })
          : undefined),
  );
  const isProbe = createProbeCheck(basePath);
  const { authenticate, recall } = createAuthenticationStep({
    authenticator: options.authenticator,
    credentials: {
      cookieName: settings.cookieName,
      headerName: settings.headerName,
      isAllowedOrigin: cors.isAllowed,
    },
    onRefusedToken: options.onRefusedToken,
  });
  /** Only used with Redis, where it saves a round trip. */
  const expectedPrincipal = (request: FastifyRequest): Principal | undefined =>
    options.redis?.link.isUp() === true && isTokenRequest(request) ? recall(request) : undefined;
  const isTokenRequest = ({ method, routeOptions }: FastifyRequest): boolean =>
    method === 'POST' && routeOptions.url === decisionPath;

  const server = createListener({
    logger,
    clock,
    isTrustedProxy,
    keepAliveTimeoutMs: settings.keepAliveTimeoutSeconds * 1000,
    bounds: publicConnectionBounds,
    addressKeyOf: (peer) => (isTrustedProxy?.(peer) === true ? undefined : toAddressKeys(peer).key),
    onConnectionClosed: events.onConnectionClosed,
    onServerError: events.onServerError,
    onProtocolError: ({ addressKey }, received) => {
      metrics.protocolErrors.inc();
      const protocol = otherProtocolOf(received);
      if (protocol !== undefined) events.onOtherProtocol('PORT', protocol);
      return addressKey === undefined || limits.countProtocolError(addressKey);
    },
    refusalHeaders: (received) => cors.headersForUnread(originHeaderOf(received)),
    checkHost: undefined,
    admit: async (request, reply) => {
      records.begin(request);
      const { origin } = request.headers;
      reply.headers(cors.headersFor(origin));
      if (phase() !== 'serving') reply.header('connection', 'close');
      // Before every step that can refuse, and before the route's onRequest, which authenticates.
      if (!isProbe(request)) await limits.limitAddress(request, reply, expectedPrincipal(request));
      if (origin !== undefined && !cors.isAllowed(origin) && origin !== ownOrigin(request)) {
        events.onUnknownOrigin(origin);
      }
      const { remoteAddress } = request.socket;
      const forwarding = forwardingHeaders.find((name) => request.headers[name] !== undefined);
      if (forwarding !== undefined && isTrustedProxy?.(remoteAddress) !== true) {
        events.onUntrustedForwarding(forwarding, toShortAddress(toAddressKeys(remoteAddress)));
      }
    },
    methods: new Map([
      [decisionPath, 'POST, OPTIONS'],
      ...[openApiPath, browserHelperPath, ...probePaths].map((path) => [basePath + path, 'GET, HEAD'] as const),
    ]),
    refuse: createAuditedRefuse({
      decisionPath,
      records,
      audit,
      onRefused: ({ code, reason }, seconds) => {
        metrics.refusals.inc({ reason });
        observe(code, seconds);
      },
    }),
  });
  server.decorateRequest('decisionRecord', undefined);
  const limits = await registerLimits(server, {
    address: settings.addressLimit,
    user: settings.userLimit,
    clock,
    onLimited: (limit) => metrics.rateLimited.inc({ limit }),
    redis: options.redis,
  });
  registerJsonBody(server);

  registerGuestTokenRoute(server, {
    basePath,
    authenticate,
    limitUser: limits.limitUser,
    decide: options.decide,
    issue: options.issue,
    afterDecision: options.afterDecision,
    isShuttingDown: () => phase() === 'closing',
    cors,
    records,
    audit,
    onIssued: (seconds) => observe('ISSUED', seconds),
  });
  registerHealth(server, options.readiness, basePath);
  registerOpenApi(server, options.openApiDocument, basePath);
  registerBrowserHelper(server, options.browserHelper, basePath);
  return server;
}
