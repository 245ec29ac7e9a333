// The shared part of all watched secrets: how often each is read, when a refused value is tried again, and whether all
// secrets from stores are current.
import type { SecretPolling } from '../secrets/watched-secret.ts';

interface SecretPollingOptions extends Omit<SecretPolling, 'dependsOn' | 'onReload'> {
  readonly observe: SecretPolling['onReload'];
}

interface SharedSecretPolling {
  readonly polling: SecretPolling;
  /** False while an older value of a secret is in use because its store could not be read or its value was refused. */
  readonly storedSecretsAreCurrent: () => boolean;
}

export function createSecretPolling({ observe, ...intervals }: SecretPollingOptions): SharedSecretPolling {
  // Secrets are compared with each other, so a change of one may make a refused one valid.
  let changes = 0;
  const stale = new Set<string>();
  return {
    polling: {
      ...intervals,
      dependsOn: () => String(changes),
      onReload: (setting, outcome, store) => {
        if (outcome.kind === 'changed') changes += 1;
        const isStale = store !== undefined && (outcome.kind === 'failed' || outcome.kind === 'unreadable');
        if (isStale) stale.add(setting);
        else stale.delete(setting);
        observe(setting, outcome, store);
      },
    },
    storedSecretsAreCurrent: () => stale.size === 0,
  };
}
