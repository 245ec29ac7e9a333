// A guest token on its way to the caller. Only guest-token/ makes one, from an upstream answer that was checked.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Grant } from '../policy/decision.ts';

declare const minted: unique symbol;

export interface GuestToken {
  readonly [minted]: true;
  /** The UUID. Given to the caller, never logged. */
  readonly token: string;
  /** What the audit names it by. */
  readonly tokenSha256: string;
  /** Differs from token to token when who may see what differs; see grant-tag.ts. */
  readonly grantTag: string;
  /** Whole seconds of life left when it was handed out; at least 1. */
  readonly expiresInSeconds: number;
  /** Whether it was minted for an earlier request. */
  readonly reused: boolean;
}

/**
 * Gets the guest token that a grant allows: a reusable one if there is one, else a new one.
 * Throws ServiceError: an UPSTREAM_* code, SHUTTING_DOWN, or TOKEN_EXPIRED when the access token ended meanwhile.
 */
export type IssueGuestToken = (grant: Grant, principal: Principal) => Promise<GuestToken>;

/** First 16 hex digits of the SHA-256: enough to trace a leaked token to its audit line, useless to make one. */
export const toTokenSha256 = (token: string): string =>
  // Not a slice of the whole text, which would be kept in memory behind it.
  hash('sha256', token, 'buffer').toString('hex', 0, 8);
