// A guest token on its way to the caller. Only guest-token/ makes one, from an upstream answer that was checked.
import type { Principal } from '../authn/principal.ts';
import type { Grant } from '../policy/decision.ts';

declare const minted: unique symbol;

export interface GuestToken {
  readonly [minted]: true;
  /** The UUID. Given to the caller, never logged. */
  readonly token: string;
  /** Whole seconds of life left when it was handed out; at least 1. */
  readonly expiresInSeconds: number;
  /** Whether it was minted for an earlier request. */
  readonly reused: boolean;
}

/**
 * Gets the guest token that a grant allows: a reusable one if there is one, else a new one.
 * Throws ServiceError with an UPSTREAM_* code; never 401 or 403, whatever the upstream says.
 */
export type IssueGuestToken = (grant: Grant, principal: Principal) => Promise<GuestToken>;
