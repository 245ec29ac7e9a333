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

/** A token fresh from the upstream, before anybody has it. */
export interface Minted {
  readonly token: string;
  /** Monotonic milliseconds just before the successful attempt was sent: its life is counted from here, never later. */
  readonly sentAt: number;
  /** The `expiryTime` that was sent, in milliseconds. */
  readonly lifetimeMs: number;
}

/**
 * Asks the upstream for one new token: body, attempts under one deadline, distrustful reading of the answer.
 * Throws ServiceError with an UPSTREAM_* code. Is not cancelled when a caller hangs up.
 */
export type Mint = (grant: Grant) => Promise<Minted>;
