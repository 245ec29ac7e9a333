// The API keys of the data apps, by the name of the setting that holds each. Where a key comes from (environment,
// file) is known here only; whoever calls the upstream asks by name at the moment of the call.
import type { Secret } from './secret.ts';

export interface ApiKeys {
  /** The key in use now, or undefined when the setting does not exist. */
  readonly get: (name: string) => Secret | undefined;
  /** Reads the key's source again; true when its value changed. Never throws: a bad new value keeps the old one. */
  readonly reload: (name: string) => Promise<boolean>;
  /** Names of all settings that hold a key, such as `DATABRAIN_API_KEY` and `DATABRAIN_API_KEY_SALES`. */
  readonly names: readonly string[];
}
