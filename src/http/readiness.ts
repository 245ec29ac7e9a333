// Readiness, checked for every probe: a policy is loaded, each data app has an API key, at least one issuer's keys are
// loaded (one issuer's outage must not affect the users of others), the audit log is writable, and no shutdown is in
// progress.
import type { Authenticator } from '../authn/authenticate.ts';
import type { Policy } from '../policy/policy.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Readiness } from './health.ts';

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
    const informative = secretsAreCurrent === undefined ? {} : { secretStores: check(secretsAreCurrent()) };
    return { isReady, checks: { ...required, ...informative } };
  };
