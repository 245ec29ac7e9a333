// When the upstream refuses the API key, reads the key's source again, once for all calls refused at the same time, so
// that a key rotation causes no error.
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import { createSingleFlight } from '../single-flight.ts';

/** True if the setting now holds a different key, so that another attempt makes sense. */
export type RenewKey = (name: string, refused: Secret, maxWaitMs: number) => Promise<boolean>;

export function createRenewKey(apiKeys: Pick<ApiKeys, 'get' | 'reload'>): RenewKey {
  const reads = createSingleFlight<boolean>();

  return async (name, refused, maxWaitMs) => {
    const changed = (): boolean => {
      const current = apiKeys.get(name);
      return current !== undefined && current.identity() !== refused.identity();
    };
    if (changed()) return true;
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise((resolve) => (timer = setTimeout(resolve, maxWaitMs)));
    await Promise.race([reads.join(name, () => apiKeys.reload(name)).result, timeUp]);
    clearTimeout(timer);
    return changed();
  };
}
