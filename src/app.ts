// Wires the whole service, top to bottom. Start reading here: every part that handles a request is created in this
// file, or in http/public-listener.ts, and passed on as an argument. There is no global state.
import type { FastifyInstance } from 'fastify';
import { createAuthenticator } from './authn/authenticator.ts';
import { isSecretOf } from './authn/keys/verification-keys.ts';
import type { Clock } from './clock.ts';
import type { Configuration } from './config/load-configuration.ts';
import { noStoredSecrets, type StoredSecrets } from './config/read-stored-secrets.ts';
import { ServiceError } from './errors.ts';
import { createFileReader } from './file-reader.ts';
import { createEgress } from './egress/egress.ts';
import { createUpstreamClient } from './databrain/upstream-client.ts';
import { createIssue } from './guest-token/issue.ts';
import { createRedisTokens } from './guest-token/redis-tokens.ts';
import { createAdminListener } from './http/admin-listener.ts';
import type { PlaygroundFiles } from './http/playground.ts';
import { createReadiness } from './http/health.ts';
import { prepareVerifiers } from './http/jwt.ts';
import { createPublicListener, type Phase } from './http/public-listener.ts';
import { openListener } from './http/listener.ts';
import { createPlaygroundEvaluator } from './playground/evaluator.ts';
import { createDecide } from './policy/decide.ts';
import { validateUpstreamBody } from './policy/upstream-request.ts';
import { createKeyDerivation } from './redis/key-derivation.ts';
import { connectRedis } from './redis/redis-link.ts';
import { watchIssuerKeys } from './reload/watch-issuer-keys.ts';
import { createPolicies } from './reload/policies.ts';
import { createSecretPolling } from './secrets/watched-secret.ts';
import { createApiKeys } from './secrets/api-keys.ts';
import type { Secret } from './secrets/secret.ts';
import { createAudit } from './telemetry/audit.ts';
import { observeEdge } from './telemetry/edge-events.ts';
import type { Log } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { createTracing, traceMint, traceStore } from './telemetry/tracing.ts';
import {
  countFromZero,
  observeExport,
  observeIssue,
  observeKeySets,
  observeRedis,
  observeRefusedTokens,
  observeSecretReload,
  observeSecretStores,
  observeUpstream,
} from './telemetry/observers.ts';
import { version } from './version.ts';

/** How often watched files are compared with what is in use. */
const defaultPollIntervalMs = 2_000;

/** A load balancer may send a request before it notices that the connection closes. Such requests are still served. */
const lateRequestsMs = 1_000;

export interface AppOptions {
  readonly configuration: Configuration;
  /** The stores that the secrets of the configuration were read from. Closed with the service. */
  readonly stored?: StoredSecrets;
  readonly log: Log;
  readonly clock: Clock;
  /** The text that GET /openapi.yaml returns. */
  readonly openApiDocument: string;
  /** The module that GET /guest-token.js returns. */
  readonly browserHelper: string;
  /** The files of the policy playground. Absent: it is disabled. */
  readonly playgroundFiles?: PlaygroundFiles | undefined;
  /** Only tests set it. */
  readonly pollIntervalMs?: number;
}

export interface App {
  /** The public listener's instance, for injected requests. */
  readonly server: FastifyInstance;
  /**
   * Opens the listeners and starts the background work. Returns the ports of those that are open. Throws
   * ConfigurationError for a port that cannot be opened.
   */
  readonly listen: () => Promise<{ readonly port: number; readonly adminPort: number | undefined }>;
  /** Reports not ready, then accepts no connections, then finishes running requests, within the grace time. */
  readonly stop: () => Promise<void>;
  /** Reads the policy and the secrets again now (SIGHUP). */
  readonly reload: () => Promise<void>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Creates the service. Opens no listener. Connects to a configured Redis in the background. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { configuration, log, clock, stored = noStoredSecrets, pollIntervalMs = defaultPollIntervalMs } = options;
  const { settings } = configuration;
  const { logger } = log;
  const random = Math.random;
  const metrics = createMetrics();
  const readFile = createFileReader();
  const readText = async (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? undefined : (await readFile(path)).toString('utf8');
  const secretPolling = createSecretPolling({
    readFile,
    fileIntervalMs: pollIntervalMs,
    storeIntervalMs: settings.secretsRefreshSeconds * 1000,
    random,
    observe: observeSecretReload(metrics, logger),
  });
  stored.onEvent(observeSecretStores(metrics, logger));
  const egress = createEgress(settings.egress);
  let phase: Phase = 'serving';

  // Who is calling.
  const authenticator = await createAuthenticator({
    issuers: settings.issuers,
    prepareVerifiers,
    createAgent: egress.createAgent,
    clock,
    events: observeKeySets(metrics, logger),
    explains: logger.isLevelEnabled('debug'),
  });

  // API keys by setting name. Those from a file or a store are watched for changes.
  const apiKeys = createApiKeys({
    settings: settings.apiKeys,
    polling: secretPolling.polling,
    accept: (value) => {
      if (authenticator.isSigningSecret(value)) throw new Error('is the same as the JWT secret');
    },
  });
  const issuerKeyFiles = watchIssuerKeys({
    keyFiles: settings.issuerKeyFiles,
    issuersFile: settings.issuersFile,
    replaceKeys: authenticator.replaceKeys,
    accept: (next) => {
      for (const name of apiKeys.names) {
        const apiKey = apiKeys.get(name);
        const isTaken = apiKey !== undefined && next.some((key) => isSecretOf(key, apiKey));
        if (isTaken) throw new Error('is the same as an API key');
      }
    },
    polling: secretPolling.polling,
  });

  const secrets = [...settings.apiKeys, ...settings.issuerKeyFiles.map(({ setting }) => setting)];
  const storedSecrets = secrets.filter((setting) => setting.stored !== undefined);
  countFromZero(metrics, {
    apiKeys: apiKeys.names,
    secrets: secrets.map(({ name }) => name),
    storedSecrets: storedSecrets.map(({ name }) => name),
  });

  // Traces, only where an exporter is set.
  const tracing =
    settings.tracing && (await createTracing({ settings: settings.tracing, onExport: observeExport(metrics, logger) }));

  // What the caller may have.
  const policies = createPolicies({ configuration, metrics, logger, clock, readFile, pollIntervalMs });
  const decide = createDecide();

  // Fetching the guest token.
  const redis =
    settings.redis === undefined
      ? undefined
      : await connectRedis({ address: settings.redis, clock, random, events: observeRedis(metrics, logger) });
  const shared = redis && createRedisTokens({ link: redis, deriveKey: createKeyDerivation(), clock });
  const upstream = createUpstreamClient({
    egress,
    baseUrl: settings.databrain.url,
    timeoutMs: settings.databrain.timeoutMs,
    deadlineMs: settings.databrain.deadlineMs,
    maxRetries: settings.databrain.maxRetries,
    apiKeys,
    isValidBody: validateUpstreamBody,
    clock,
    random,
    events: observeUpstream(metrics, logger),
    traceparent: tracing?.traceparent,
  });
  const issue = createIssue({
    mint: tracing === undefined ? upstream.mint : traceMint(upstream.mint, tracing.step),
    apiKeys,
    baseUrl: settings.databrain.url,
    mode: settings.reuse.mode,
    minRemainingPercent: settings.reuse.minRemainingPercent,
    deadlineMs: settings.databrain.deadlineMs,
    maxEntries: settings.reuse.maxEntries,
    clock,
    random,
    pause,
    events: observeIssue(metrics, logger),
    upstreamHasRoom: upstream.hasRoom,
    shared: tracing === undefined ? shared : shared && traceStore(shared, tracing.step),
  });

  // The listeners for callers and for operators.
  const readiness = createReadiness({
    policy: policies.current,
    apiKeys,
    authenticator,
    canRecord: log.audit.canRecord,
    isServing: () => phase === 'serving',
    secretsAreCurrent: storedSecrets.length === 0 ? undefined : secretPolling.storedSecretsAreCurrent,
  });
  const limitSecret = (): Secret => {
    const key = apiKeys.get('DATABRAIN_API_KEY');
    // The start requires it. Without it, keys in Redis could be guessed, so no request is counted.
    if (key === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
    return key;
  };
  // Fastify logs one line per address; the `listening` line below replaces them.
  const httpLogger = logger.child({}, { level: logger.isLevelEnabled('info') ? 'warn' : logger.level });
  const edgeEvents = observeEdge(metrics, logger, clock.monotonic);
  const server = await createPublicListener({
    settings,
    logger: httpLogger,
    clock,
    metrics,
    events: edgeEvents,
    audit: createAudit(log.audit, clock),
    authenticator,
    onRefusedToken: observeRefusedTokens(logger),
    decide: (principal, dataApp) => decide(policies.current(), principal, dataApp, clock.now()),
    afterDecision: policies.compareWithShadow,
    issue: issue.issue,
    readiness,
    phase: () => phase,
    redis: redis && { link: redis, secret: limitSecret },
    tracing,
    openApiDocument: options.openApiDocument,
    browserHelper: options.browserHelper,
  });
  let droppedLines = 0;
  const admin = createAdminListener({
    logger: httpLogger,
    clock,
    events: edgeEvents,
    keepAliveTimeoutMs: settings.keepAliveTimeoutSeconds * 1000,
    hosts: settings.adminHosts,
    readiness,
    metrics: () => {
      for (const { iss, ageMs } of authenticator.keySetAges()) {
        if (ageMs !== undefined) metrics.keySetAge.set({ issuer: iss }, ageMs / 1000);
      }
      metrics.logLinesDropped.inc(log.dropped() - droppedLines);
      droppedLines = log.dropped();
      return metrics.expose();
    },
    version: () => ({ version, policyRevision: policies.current().revision }),
    playground: options.playgroundFiles && {
      files: options.playgroundFiles,
      evaluate: createPlaygroundEvaluator({
        maxLifetimeSeconds: settings.maxLifetimeSeconds,
        apiKeyNames: settings.apiKeys.map(({ name }) => name),
      }),
      start: async () => {
        const [policy, tests] = await Promise.all([settings.policyFile, settings.policyTestFiles[0]].map(readText));
        return { policy: policy ?? '', tests: tests ?? '' };
      },
      now: clock.now,
    },
  });

  return {
    server,
    listen: async () => {
      const port = await openListener(server, settings.listen);
      const adminPort = settings.admin && (await openListener(admin, settings.admin, 'ADMIN_'));
      authenticator.start();
      const ports = { port, adminPort };
      logger.info({ ...ports, policyRevision: policies.current().revision, version }, 'listening');
      return ports;
    },
    stop: async () => {
      phase = 'draining';
      await pause(settings.shutdown.drainSeconds * 1000);
      const refuseLater = setTimeout(() => (phase = 'closing'), lateRequestsMs);
      const cutOff = setTimeout(() => {
        logger.warn('the shutdown grace time is over; closing the open connections');
        server.server.closeAllConnections();
      }, settings.shutdown.graceSeconds * 1000);
      await server.close();
      clearTimeout(refuseLater);
      phase = 'closing';
      await issue.close();
      await upstream.close();
      policies.close();
      apiKeys.close();
      for (const file of issuerKeyFiles) file.close();
      await Promise.all([stored.close(), tracing?.close()]);
      await authenticator.close();
      redis?.close();
      await admin.close();
      clearTimeout(cutOff);
    },
    reload: async () => {
      await Promise.all([
        policies.reload(),
        ...apiKeys.names.map((name) => apiKeys.reload(name)),
        ...issuerKeyFiles.map((file) => file.reload()),
      ]);
    },
  };
}
