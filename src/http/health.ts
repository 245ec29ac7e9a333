// /livez, /readyz and /healthz for orchestrators: the status of each check, without details or secrets. Ready means: a
// policy is loaded, each data app has an API key, at least one issuer's keys are loaded (one issuer's outage must not
// affect the users of others), the audit log is writable, and no shutdown is in progress.
import type { FastifyInstance } from 'fastify';
import type { Authenticator } from '../authn/authenticator.ts';
import type { Policy } from '../policy/policy.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';

/** Undefined ones are not in the response. */
export type Checks = Readonly<Record<string, 'ok' | 'failing' | undefined>>;

/** The checks of readiness, and those that are only informative. Called for every probe, so they must be cheap. */
export type Readiness = () => { readonly isReady: boolean; readonly checks: Checks };

const livenessPath = '/livez';
/** Both give the same response. */
const readinessPaths = ['/readyz', '/healthz'] as const;
export const probePaths = [livenessPath, ...readinessPaths] as const;

/** Registers the health routes under `basePath`. */
export function registerHealth(app: FastifyInstance, readiness: Readiness, basePath = ''): void {
  app.get(basePath + livenessPath, async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return { status: 'ok', checks: {} };
  });

  for (const path of readinessPaths) {
    app.get(basePath + path, async (_request, reply) => {
      const { isReady, checks } = readiness();
      reply.code(isReady ? 200 : 503).header('cache-control', 'no-store');
      return { status: isReady ? 'ok' : 'failing', checks };
    });
  }
}

interface ReadinessOptions {
  readonly policy: () => Policy;
  readonly apiKeys: Pick<ApiKeys, 'get'>;
  readonly authenticator: Pick<Authenticator, 'ready'>;
  /** Whether audit lines can be written. Without them no token is issued. */
  readonly canRecord: () => boolean;
  readonly isServing: () => boolean;
  /** Whether the last read of every secret in a store succeeded. Only if there are such secrets. */
  readonly secretsAreCurrent?: (() => boolean) | undefined;
}

const check = (holds: boolean): 'ok' | 'failing' => (holds ? 'ok' : 'failing');

export const createReadiness =
  ({ policy, apiKeys, authenticator, canRecord, isServing, secretsAreCurrent }: ReadinessOptions): Readiness =>
  () => {
    const dataApps = [...policy().dataApps.values()];
    const required = {
      policy: check(dataApps.length > 0),
      apiKeys: check(dataApps.every(({ apiKeyName }) => apiKeys.get(apiKeyName) !== undefined)),
      issuerKeys: check(authenticator.ready()),
      audit: check(canRecord()),
      accepting: check(isServing()),
    };
    const isReady = Object.values(required).every((result) => result === 'ok');
    // Informative only: the last values stay in use, and an unavailable store must not take every replica out of
    // service.
    const secretStores = secretsAreCurrent && check(secretsAreCurrent());
    return { isReady, checks: { ...required, secretStores } };
  };
