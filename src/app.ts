// The whole service, wired top to bottom. Start reading here: everything a request meets is created in this file, or in
// http/public-listener.ts from what is created here, and handed on as arguments; nothing reaches for anything else.
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { createAuthenticator } from './authn/authenticate.ts';
import { isSecretOf } from './authn/keys/verification-key.ts';
import type { Clock } from './clock.ts';
import type { Configuration } from './config/load-configuration.ts';
import { noStoredSecrets, type StoredSecrets } from './config/stored-secrets.ts';
import { ServiceError } from './errors.ts';
import { createFileReader } from './file-reader.ts';
import { createEgress } from './egress/egress.ts';
import { createUpstreamClient } from './databrain/client.ts';
import { createIssue } from './guest-token/issue.ts';
import { createRedisTokens } from './guest-token/redis-tokens.ts';
import { createAdminListener } from './http/admin.ts';
import type { PlaygroundFiles } from './http/playground.ts';
import { createReadiness } from './http/readiness.ts';
import { prepareVerifiers } from './http/jwt.ts';
import { createPublicListener, type Phase } from './http/public-listener.ts';
import { createEvaluate } from './playground/evaluate.ts';
import { createDecide } from './policy/decide.ts';
import { upstreamBodySchema } from './policy/upstream-request.ts';
import { createKeyDerivation } from './redis/derived-keys.ts';
import { connectRedis } from './redis/redis-link.ts';
import { watchIssuerKeyFiles } from './reload/issuer-key-files.ts';
import { createPolicies } from './reload/policies.ts';
import { createSecretWatch } from './reload/secret-watch.ts';
import { createApiKeys } from './secrets/api-keys.ts';
import type { Secret } from './secrets/secret.ts';
import { createAudit } from './telemetry/audit.ts';
import { observeEdge } from './telemetry/edge-events.ts';
import type { Log } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { traceMint, traceStore } from './telemetry/traced-steps.ts';
import { createTracing } from './telemetry/tracing.ts';
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

/** A load balancer may have sent a request when it could not know yet that its connection closes: it is still served. */
const onTheirWayMs = 1_000;

export interface AppOptions {
  readonly configuration: Configuration;
  /** The stores that secrets of the configuration came from; closed with the service. */
  readonly stored?: StoredSecrets;
  readonly log: Log;
  readonly clock: Clock;
  /** The text that GET /openapi.yaml answers with. */
  readonly openApiDocument: string;
  /** The module that GET /guest-token.js answers with. */
  readonly browserHelper: string;
  /** The files of the policy playground; absent: there is none. */
  readonly playgroundFiles?: PlaygroundFiles | undefined;
  /** Only tests set it. */
  readonly pollIntervalMs?: number;
}

export interface App {
  /** The public listener's instance, for injection beside real sockets. */
  readonly server: FastifyInstance;
  /** Opens the listeners and starts what works in the background. Gives the ports, the admin one if it is on. */
  readonly listen: () => Promise<{ readonly port: number; readonly adminPort?: number }>;
  /** Not ready first, then no new connections, then what runs is finished; cut off after the grace time. */
  readonly stop: () => Promise<void>;
  /** Reads policy and secrets again now, as SIGHUP asks. */
  readonly reload: () => Promise<void>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Creates the service. Opens no listener; a configured Redis is connected to in the background. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { configuration, log, clock, stored = noStoredSecrets, pollIntervalMs = defaultPollIntervalMs } = options;
  const { config } = configuration;
  const { logger } = log;
  const random = Math.random;
  const metrics = createMetrics();
  const readFile = createFileReader();
  const readText = async (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? undefined : (await readFile(path)).toString('utf8');
  const secretWatch = createSecretWatch({
    readFile,
    fileIntervalMs: pollIntervalMs,
    storeIntervalMs: config.secretsRefreshSeconds * 1000,
    random,
    observe: observeSecretReload(metrics, logger),
  });
  stored.onEvent(observeSecretStores(metrics, logger));
  const egress = createEgress(config.egress);
  let phase: Phase = 'serving';

  // Who is calling.
  const authenticator = await createAuthenticator({
    issuers: config.issuers,
    prepareVerifiers,
    createAgent: egress.createAgent,
    clock,
    events: observeKeySets(metrics, logger),
    explains: logger.isLevelEnabled('debug'),
  });

  // Secrets: API keys by setting, each watched if it came from a file or a store.
  const apiKeys = createApiKeys({
    settings: config.apiKeys,
    watch: secretWatch.watch,
    accept: (_name, value) => {
      if (authenticator.isSigningSecret(value)) throw new Error('is the same as the JWT secret');
    },
  });
  const issuerKeyFiles = watchIssuerKeyFiles({
    keyFiles: config.issuerKeyFiles,
    issuersFile: config.issuersFile,
    replaceKeys: authenticator.replaceKeys,
    accept: (next) => {
      for (const name of apiKeys.names) {
        const apiKey = apiKeys.get(name);
        const isTaken = apiKey !== undefined && next.some((key) => isSecretOf(key, apiKey));
        if (isTaken) throw new Error('is the same as an API key');
      }
    },
    watch: secretWatch.watch,
  });

  const secrets = [...config.apiKeys, ...config.issuerKeyFiles.map(({ setting }) => setting)];
  const storedSecrets = secrets.filter((setting) => setting.stored !== undefined);
  countFromZero(metrics, {
    apiKeys: apiKeys.names,
    secrets: secrets.map(({ name }) => name),
    storedSecrets: storedSecrets.map(({ name }) => name),
  });

  // Traces, only where an exporter is set.
  const tracing =
    config.tracing && (await createTracing({ config: config.tracing, onExport: observeExport(metrics, logger) }));

  // What they may have.
  const policies = createPolicies({ configuration, metrics, logger, clock, readFile, pollIntervalMs });
  const decide = createDecide();

  // Getting it.
  const redis =
    config.redis === undefined
      ? undefined
      : await connectRedis({ address: config.redis, clock, random, events: observeRedis(metrics, logger) });
  const shared = redis && createRedisTokens({ link: redis, deriveKey: createKeyDerivation(), clock });
  const upstream = createUpstreamClient({
    egress,
    baseUrl: config.databrain.url,
    timeoutMs: config.databrain.timeoutMs,
    deadlineMs: config.databrain.deadlineMs,
    maxRetries: config.databrain.maxRetries,
    apiKeys,
    bodySchema: upstreamBodySchema,
    clock,
    random,
    events: observeUpstream(metrics, logger),
    traceparent: tracing?.traceparent,
  });
  const issue = createIssue({
    mint: tracing === undefined ? upstream.mint : traceMint(upstream.mint, tracing.step),
    apiKeys,
    baseUrl: config.databrain.url,
    mode: config.reuse.mode,
    minRemainingPercent: config.reuse.minRemainingPercent,
    deadlineMs: config.databrain.deadlineMs,
    maxEntries: config.reuse.maxEntries,
    clock,
    random,
    pause,
    events: observeIssue(metrics, logger),
    upstreamHasRoom: upstream.hasRoom,
    shared: tracing === undefined ? shared : shared && traceStore(shared, tracing.step),
  });

  // Talking to callers and to operators.
  const readiness = createReadiness({
    policy: policies.current,
    apiKeys,
    authenticator,
    canRecord: log.audit.canRecord,
    isServing: () => phase === 'serving',
    ...(storedSecrets.length === 0 ? {} : { secretsAreCurrent: secretWatch.storedSecretsAreCurrent }),
  });
  const limitSecret = (): Secret => {
    const key = apiKeys.get('DATABRAIN_API_KEY');
    if (key === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
    return key;
  };
  // Fastify tells every address it listens on; the line below says it once.
  const httpLogger = logger.child({}, { level: logger.isLevelEnabled('info') ? 'warn' : logger.level });
  const edgeEvents = observeEdge(metrics, logger, clock.monotonic);
  const server = await createPublicListener({
    config,
    logger: httpLogger,
    clock,
    metrics,
    events: edgeEvents,
    audit: createAudit(log.audit),
    authenticator,
    onRefusedToken: observeRefusedTokens(logger),
    decide: (principal, dataApp) => decide(policies.current(), principal, dataApp, clock.now()),
    ...(policies.compareWithShadow && { afterDecision: policies.compareWithShadow }),
    issue: issue.issue,
    readiness,
    phase: () => phase,
    ...(redis && { redis: { link: redis, secret: limitSecret } }),
    tracing,
    openApiDocument: options.openApiDocument,
    browserHelper: options.browserHelper,
  });
  let droppedLines = 0;
  const admin = createAdminListener({
    logger: httpLogger,
    clock,
    events: edgeEvents,
    keepAliveTimeoutMs: config.keepAliveTimeoutSeconds * 1000,
    hosts: config.adminHosts,
    readiness,
    metrics: () => {
      for (const { iss, ageMs } of authenticator.keySetState()) {
        if (ageMs !== undefined) metrics.keySetAge.set({ issuer: iss }, ageMs / 1000);
      }
      metrics.logLinesDropped.inc(log.dropped() - droppedLines);
      droppedLines = log.dropped();
      return metrics.expose();
    },
    version: () => ({ version, policyRevision: policies.current().revision }),
    playground: options.playgroundFiles && {
      files: options.playgroundFiles,
      evaluate: createEvaluate({
        maxLifetimeSeconds: config.maxLifetimeSeconds,
        apiKeyNames: config.apiKeys.map(({ name }) => name),
      }),
      start: async () => {
        const [policy, tests] = await Promise.all([config.policyFile, config.policyTestFiles[0]].map(readText));
        return { policy: policy ?? '', tests: tests ?? '' };
      },
      now: clock.now,
    },
  });

  const portOf = (listener: FastifyInstance): number => (listener.server.address() as AddressInfo).port;

  return {
    server,
    listen: async () => {
      await server.listen({ host: config.listen.host, port: config.listen.port });
      if (config.admin !== undefined) await admin.listen(config.admin);
      authenticator.start();
      const ports = { port: portOf(server), ...(config.admin && { adminPort: portOf(admin) }) };
      logger.info({ ...ports, policyRevision: policies.current().revision, version }, 'listening');
      return ports;
    },
    stop: async () => {
      phase = 'draining';
      await pause(config.shutdown.drainSeconds * 1000);
      const refuseLater = setTimeout(() => (phase = 'closing'), onTheirWayMs);
      const cutOff = setTimeout(() => {
        logger.warn('the grace time is over; open connections are cut off');
        server.server.closeAllConnections();
      }, config.shutdown.graceSeconds * 1000);
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
