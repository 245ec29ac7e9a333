// The interface of a secret store; each product implements it in one file. Results are values, because an unavailable
// store or a missing secret is expected, and because an error object might hold secret data.
import type { Clock } from '../clock.ts';
import type { Egress } from '../egress/egress.ts';
import type { ReadFileAsync } from '../file-reader.ts';
import type { Problem } from '../problem.ts';
import type { SecretRead, SecretSetting } from './secret-setting.ts';

export interface SecretStore {
  /**
   * Reads one secret now. Never throws, and ends within the store's own deadline. `problem` completes the sentence
   * "the secret …" and contains no part of the store's response. `forceNew`: a leased value is replaced, not renewed.
   */
  readonly read: (reference: string, options?: { readonly forceNew?: boolean }) => Promise<SecretRead>;
  /** Revokes the token of a login and ends all timers. Never throws. */
  readonly close: () => Promise<void>;
}

/** Reads the store's own settings, such as its address. Implemented by the reader of the service's settings. */
export interface StoreSettings {
  /** A variable's value; undefined when absent or empty. */
  readonly raw: (name: string) => string | undefined;
  /** `NAME` or the content of the file that `NAME_FILE` names. */
  readonly fromFile: (name: string) => SecretSetting | undefined;
  readonly report: (location: string, problem: string, fix: string) => undefined;
}

export interface StoreContext {
  readonly settings: StoreSettings;
  readonly readFile: ReadFileAsync;
  /** How other machines are reached. */
  readonly egress: Pick<Egress, 'routeTo'>;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  readonly random: () => number;
  readonly onEvent: (event: StoreEvent) => void;
  /** Reports a problem of the store as a whole, in the name of a variable that needs it. */
  readonly report: (problem: string, fix: string) => undefined;
}

/** Events of a store for operators. */
export type StoreEvent =
  | { readonly kind: 'login'; readonly store: 'Vault'; readonly result: 'ok' | 'failed'; readonly problem?: string }
  | { readonly kind: 'credential_expires'; readonly store: 'Vault'; readonly inSeconds: number };

export interface SecretStoreKind {
  /** The end of the variables that name a secret in this store, such as `_VAULT` of `DATABRAIN_API_KEY_VAULT`. */
  readonly suffix: string;
  /** The store's name for people. */
  readonly label: string;
  /** The problem of a reference's syntax, without location; undefined if it is valid. */
  readonly problemOf: (reference: string) => Omit<Problem, 'location'> | undefined;
  /** Returns undefined after reporting problems of the store's settings. Opens no connection. */
  readonly open: (context: StoreContext) => Promise<SecretStore | undefined>;
}
