// What must hold before traffic makes sense, asked anew at every probe: a policy, a key for each of its data apps, the
// keys of at least one issuer (one issuer's outage must not take the others' users down), an audit that can be written,
// and no shutdown under way.
import type { Authenticator } from '../authn/authenticate.ts';
import type { Policy } from '../policy/policy.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Readiness } from './health.ts';

interface ReadinessOptions {
  readonly policy: () => Policy;
  readonly apiKeys: Pick<ApiKeys, 'get'>;
  readonly authenticator: Pick<Authenticator, 'ready'>;
  /** Whether audit lines can be written; without them no token is given. */
  readonly canRecord: () => boolean;
  readonly isServing: () => boolean;
  /** Whether every secret in a store could be read when it was last tried. Only if there is one. */
  readonly secretsAreCurrent?: () => boolean;
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
    // The last good values work on: a store that is away must not take every replica out of service.
    const informative = secretsAreCurrent === undefined ? {} : { secretStores: check(secretsAreCurrent()) };
    return { isReady, checks: { ...required, ...informative } };
  };
