// The interface of a token store shared by replicas. It is optional: without it, or if it fails, tokens are reused
// within each process.
import type { LockAnswer } from '../redis/redis-lock.ts';
import type { Secret } from '../secrets/secret.ts';
import type { ReuseKey } from './reuse-key.ts';

/** A token stored by another replica, with its remaining lifetime. */
export interface SharedToken {
  readonly token: string;
  readonly lifetimeMs: number;
  readonly remainingMs: number;
  readonly notAfterMs?: number | undefined;
}

/** No method throws or takes longer than the store's time limit. */
export interface SharedTokens {
  /**
   * While the state of the store is unknown, waits for it within the short limit: the alternative is an upstream call.
   */
  readonly isUp: () => Promise<boolean>;
  readonly get: (key: ReuseKey, apiKey: Secret) => Promise<SharedToken | undefined>;
  /** The same with a longer limit, even while the store counts as down: for when the alternative is an error. */
  readonly getAnyway: (key: ReuseKey, apiKey: Secret) => Promise<SharedToken | undefined>;
  readonly put: (key: ReuseKey, apiKey: Secret, token: SharedToken) => Promise<void>;
  /** A lock for minting. It ends when released or when its holder dies. It only saves duplicate calls. */
  readonly lock: (key: ReuseKey, apiKey: Secret) => Promise<LockAnswer>;
}
