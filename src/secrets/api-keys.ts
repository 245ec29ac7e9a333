// The API keys of the data apps, by the name of the setting that holds each. Where a key comes from (environment,
// file) is known here only; whoever calls the upstream asks by name at the moment of the call.
import type { ReadFileAsync } from '../file-reader.ts';
import { watchFile, type ReloadOutcome, type WatchedFile } from '../watched-file.ts';
import { isUsableApiKey, secretText, type SecretSetting } from './secret-setting.ts';
import { Secret } from './secret.ts';

export interface ApiKeys {
  /** The key in use now, or undefined when the setting does not exist. */
  readonly get: (name: string) => Secret | undefined;
  /** Reads the key's source again; true when its value changed. Never throws: a bad new value keeps the old one. */
  readonly reload: (name: string) => Promise<boolean>;
  /** Names of all settings that hold a key, such as `DATABRAIN_API_KEY` and `DATABRAIN_API_KEY_SALES`. */
  readonly names: readonly string[];
  /** Stops watching files. */
  readonly close: () => void;
}

interface ApiKeysOptions {
  readonly settings: readonly SecretSetting[];
  readonly readFile: ReadFileAsync;
  readonly pollIntervalMs: number;
  /** Refuses a new value for reasons that span settings (such as equality with a JWT secret) by throwing. */
  readonly accept: (name: string, value: Secret) => void;
  /** Changes whenever `accept` may judge differently. */
  readonly judgedBy: () => string;
  readonly onReload: (name: string, outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void;
}

export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const { settings, readFile, pollIntervalMs, accept, judgedBy, onReload } = options;
  const keys = new Map(settings.map(({ name, value }) => [name, value]));
  const files = new Map<string, WatchedFile>();

  for (const { name, file } of settings) {
    if (file === undefined) continue;
    const watched = watchFile({
      path: file.path,
      readFile,
      initial: file.content,
      intervalMs: pollIntervalMs,
      judgedBy,
      accept: (content) => {
        const value = secretText(content);
        if (!isUsableApiKey(value)) throw new Error('holds characters that no API key has');
        const key = new Secret(value);
        accept(name, key);
        keys.set(name, key);
      },
      onOutcome: (outcome) => onReload(name, outcome),
    });
    files.set(name, watched);
  }

  return {
    get: (name) => keys.get(name),
    reload: async (name) => {
      const before = keys.get(name)?.identity();
      await files.get(name)?.reload();
      return keys.get(name)?.identity() !== before;
    },
    names: [...keys.keys()],
    close: () => files.forEach((file) => file.close()),
  };
}
