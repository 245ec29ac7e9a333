// The API keys of the data apps, by the name of their setting. Only this file knows where a key comes from
// (environment, file, store). The upstream client gets the key by name for each call.
import { apiKeyProblem, type SecretSetting } from './secret-setting.ts';
import { createSingleFlight } from '../single-flight.ts';
import { Secret } from './secret.ts';
import { watchSecret, type SecretPolling, type WatchedSecret } from './watched-secret.ts';

export interface ApiKeys {
  /** The current key; undefined if the setting does not exist. */
  readonly get: (name: string) => Secret | undefined;
  /**
   * Reads the key's source again; true if its value changed. Never throws: after a bad value the old one stays in use.
   */
  readonly reload: (name: string) => Promise<boolean>;
  /** Names of all settings that hold a key, such as `DATABRAIN_API_KEY` and `DATABRAIN_API_KEY_SALES`. */
  readonly names: readonly string[];
  /** Stops watching. */
  readonly close: () => void;
}

interface ApiKeysOptions {
  readonly settings: readonly SecretSetting[];
  readonly polling: SecretPolling;
  /** Throws to refuse a new value for reasons across settings (such as equality with a JWT secret). */
  readonly accept: (value: Secret) => void;
}

export function createApiKeys({ settings, polling, accept }: ApiKeysOptions): ApiKeys {
  const keys = new Map(settings.map(({ name, value }) => [name, value]));
  const watched = new Map<string, WatchedSecret>();

  for (const setting of settings) {
    const { name } = setting;
    const secret = watchSecret({
      setting,
      polling,
      accept: (text) => {
        const unusable = apiKeyProblem(text);
        if (unusable !== undefined) throw new Error(unusable.problem);
        const key = new Secret(text);
        accept(key);
        keys.set(name, key);
      },
    });
    if (secret !== undefined) watched.set(name, secret);
  }

  return {
    get: (name) => keys.get(name),
    reload: async (name) => {
      const before = keys.get(name)?.identity();
      await watched.get(name)?.reload({ forceNew: true });
      return keys.get(name)?.identity() !== before;
    },
    names: [...keys.keys()],
    close: () => watched.forEach((secret) => secret.close()),
  };
}

/**
 * For a key that the upstream has refused: true if the setting now holds another one, so that a further call makes
 * sense. Reads the source again, once for all calls refused at the same time, so that a key rotation causes no error.
 */
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
