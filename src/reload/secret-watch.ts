// What all watched secrets of the service share: how often each is read again, when a refused one is examined again,
// and whether every secret in a store is the one that the store holds.
import type { SecretWatch } from '../secrets/watch-secret.ts';

interface SecretWatchOptions extends Omit<SecretWatch, 'dependsOn' | 'onReload'> {
  readonly observe: SecretWatch['onReload'];
}

interface SharedSecretWatch {
  readonly watch: SecretWatch;
  /** False while the last good value of a secret stands in for what its store holds. */
  readonly storedSecretsAreCurrent: () => boolean;
}

export function createSecretWatch({ observe, ...intervals }: SecretWatchOptions): SharedSecretWatch {
  // Secrets are held against each other, so a change of one may make a refused one acceptable.
  let changes = 0;
  const stale = new Set<string>();
  return {
    watch: {
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
