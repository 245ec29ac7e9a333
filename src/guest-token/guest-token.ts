// A guest token for the caller, and the two hashes that identify it and its rights. Only guest-token/ creates one, from a
// checked response of the upstream.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Grant } from '../policy/decision.ts';
import type { Secret } from '../secrets/secret.ts';

declare const minted: unique symbol;

export interface GuestToken {
  readonly [minted]: true;
  /** The UUID. Sent to the caller, never logged. */
  readonly token: string;
  /** Its identifier in the audit log. */
  readonly tokenSha256: string;
  /** Changes if the user or the rights change; see `toGrantTag`. */
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

/**
 * The tag of a grant lets a browser detect that its next token has different rights, without showing them: the vendor's
 * component keeps what it has shown, so it must not get a token of another user or with other rights.
 *
 * 22 characters of base64url: equal for equal requests of the same user, whatever their lifetime, on every replica. It
 * is keyed with the API key, so that nobody can test guesses about hidden filters.
 *
 * The key has a fixed length and half of the hash is shown, so nobody can extend a tag either; an HMAC would take four
 * times as long for every new token.
 */
export function toGrantTag({ iss, sub }: Principal, { requestSha256 }: Grant, apiKey: Secret): string {
  const parts = JSON.stringify([iss, sub, requestSha256]);
  // Encode the first half only: a slice of the whole string would keep that in memory.
  return hash('sha256', apiKey.identity() + parts, 'buffer').toString('base64url', 0, 16);
}
