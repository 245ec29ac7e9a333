// A guest token for the caller. Only guest-token/ creates one, from a checked response of the upstream.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Grant } from '../policy/decision.ts';

declare const minted: unique symbol;

export interface GuestToken {
  readonly [minted]: true;
  /** The UUID. Sent to the caller, never logged. */
  readonly token: string;
  /** Its identifier in the audit log. */
  readonly tokenSha256: string;
  /** Changes if the user or the rights change; see grant-tag.ts. */
  readonly grantTag: string;
  /** Remaining lifetime in whole seconds; at least 1. */
  readonly expiresInSeconds: number;
  /** Whether it was minted for an earlier request. */
  readonly reused: boolean;
}

/**
 * Returns the guest token for a grant: a reusable one if there is one, otherwise a new one. Throws ServiceError: an
 * UPSTREAM_* code, SHUTTING_DOWN, or TOKEN_EXPIRED if the access token has expired meanwhile.
 */
export type IssueGuestToken = (grant: Grant, principal: Principal) => Promise<GuestToken>;

/** First 16 hex digits of the SHA-256: enough to trace a leaked token to its audit line. */
export const toTokenSha256 = (token: string): string =>
  // Encode a part only: a slice of the whole string would keep that in memory.
  hash('sha256', token, 'buffer').toString('hex', 0, 8);
