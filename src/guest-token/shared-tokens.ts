// What issuing needs of a store that replicas share. Everything in it is a gain only: without it, or when it fails,
// tokens are reused within each process.
import type { LockAnswer } from '../redis/redis-lock.ts';
import type { Secret } from '../secrets/secret.ts';
import type { ReuseKey } from './reuse-key.ts';

/** A token as another replica stored it; with the life that it has left now, never more. */
export interface SharedToken {
  readonly token: string;
  readonly lifetimeMs: number;
  readonly remainingMs: number;
  readonly notAfterMs?: number | undefined;
}

/** None of these throws or waits longer than the store's own limit. */
export interface SharedTokens {
  /** Waits, as briefly, while it is not known: the alternative is a call to the upstream. */
  readonly isUp: () => Promise<boolean>;
  readonly get: (key: ReuseKey, apiKey: Secret) => Promise<SharedToken | undefined>;
  /** The same when the alternative is an error for the user: also while the store counts as down, and with more patience. */
  readonly getAnyway: (key: ReuseKey, apiKey: Secret) => Promise<SharedToken | undefined>;
  readonly put: (key: ReuseKey, apiKey: Secret, token: SharedToken) => Promise<void>;
  /** Held by another replica: it is minting. Lasts until it is released or its holder is gone; only saves a call. */
  readonly lock: (key: ReuseKey, apiKey: Secret) => Promise<LockAnswer>;
}
