// What happens when the upstream refuses our API key: its source is read again, once for all calls that were refused
// at the same time. Whoever rotated the key meanwhile costs no user an error.
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';

/** True when the setting now holds another key than the refused one, so that one more attempt makes sense. */
export type RenewKey = (name: string, refused: Secret, maxWaitMs: number) => Promise<boolean>;

export function createRenewKey(apiKeys: Pick<ApiKeys, 'get' | 'reload'>): RenewKey {
  const reading = new Map<string, Promise<unknown>>();

  const reread = (name: string): Promise<unknown> => {
    const shared = reading.get(name) ?? apiKeys.reload(name).finally(() => reading.delete(name));
    reading.set(name, shared);
    return shared;
  };

  return async (name, refused, maxWaitMs) => {
    const changed = (): boolean => {
      const current = apiKeys.get(name);
      return current !== undefined && current.identity() !== refused.identity();
    };
    if (changed()) return true;
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise((resolve) => (timer = setTimeout(resolve, maxWaitMs)));
    await Promise.race([reread(name), timeUp]);
    clearTimeout(timer);
    return changed();
  };
}
