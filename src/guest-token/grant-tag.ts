// The tag of a grant lets a browser detect that its next token has different rights, without showing them: the vendor's
// component keeps what it has shown, so it must not get a token of another user or with other rights.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Grant } from '../policy/decision.ts';
import type { Secret } from '../secrets/secret.ts';

/**
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
