// What a place that keeps secrets must offer: one file implements it for one product. Results are values, because a
// store that is away and a secret that is missing are expected, and because an error object might hold what it read.
import type { Clock } from '../clock.ts';
import type { Egress } from '../egress/egress.ts';
import type { ReadFileAsync } from '../file-reader.ts';
import type { Problem } from '../problem.ts';
import type { SecretSetting } from './secret-setting.ts';
import type { Secret } from './secret.ts';

export type SecretRead =
  /** `freshForMs`: how long the store says that the value holds, if it says so. */
  | { readonly kind: 'read'; readonly value: Secret; readonly freshForMs?: number }
  /** Asking again later may help: the store is down, sealed, overloaded. */
  | { readonly kind: 'unavailable'; readonly problem: string; readonly fix: string }
  /** Asking again does not help until somebody changes something: missing, forbidden, not a string. */
  | { readonly kind: 'refused'; readonly problem: string; readonly fix: string };

export type ReadFailure = Exclude<SecretRead, { kind: 'read' }>;

export interface SecretStore {
  /**
   * Reads one secret now. Never throws, and ends within the store's own deadline. `problem` completes the sentence "the
   * secret …" and holds nothing that the store answered. `anew`: a value that was lent is not prolonged but replaced.
   */
  readonly read: (reference: string, options?: { readonly anew?: boolean }) => Promise<SecretRead>;
  /** Gives back what was borrowed (a login's token) and ends all timers. Never throws. */
  readonly close: () => Promise<void>;
}

/** How a store finds its own settings, such as its address. The reader of the service's settings is one. */
export interface StoreSettings {
  /** A variable's value; undefined when absent or empty. */
  readonly raw: (name: string) => string | undefined;
  /** `NAME` or the content of the file that `NAME_FILE` names. */
  readonly fromFile: (name: string) => SecretSetting | undefined;
  readonly report: (location: string, problem: string, fix: string) => undefined;
}

export interface StoreSurroundings {
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

/** What an operator wants to know of a store beside the secrets it gives. */
export type StoreEvent =
  | { readonly kind: 'login'; readonly store: 'Vault'; readonly result: 'ok' | 'failed'; readonly problem?: string }
  | { readonly kind: 'credential_expires'; readonly store: 'Vault'; readonly inSeconds: number };

export interface SecretStoreKind {
  /** The end of the variables that name a secret in this store, such as `_VAULT` of `DATABRAIN_API_KEY_VAULT`. */
  readonly suffix: string;
  /** The store's name for people. */
  readonly label: string;
  /** An example of a reference, for messages and help. */
  readonly example: string;
  /** What is wrong with the way a reference is written, as `where` is not known here; undefined when nothing is. */
  readonly problemOf: (reference: string) => Omit<Problem, 'location'> | undefined;
  /** Undefined after reporting what is wrong with the store's settings. Opens no connection. */
  readonly open: (surroundings: StoreSurroundings) => Promise<SecretStore | undefined>;
}
