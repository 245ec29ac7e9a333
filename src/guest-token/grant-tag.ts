// Tells a browser whether its next token may see the same as the last one, without saying what that is: the component of
// the vendor keeps what it has shown, and must not be handed a token that stands for somebody or something else.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Grant } from '../policy/decision.ts';
import type { Secret } from '../secrets/secret.ts';

/**
 * 22 characters of base64url: equal for equal requests of the same user, whatever their lifetime, on every replica. It is
 * keyed, so that nobody can confirm guesses about filters that the user is not shown; another API key makes other tags.
 *
 * The key has a fixed length and half of the hash is shown, so nobody can extend a tag either; an HMAC would take four
 * times as long for every new token.
 */
export function toGrantTag({ iss, sub }: Principal, { requestSha256 }: Grant, apiKey: Secret): string {
  const parts = JSON.stringify([iss, sub, requestSha256]);
  // The first half of it, and not a slice of the whole text, which would be kept in memory behind it.
  return hash('sha256', apiKey.identity() + parts, 'buffer').toString('base64url', 0, 16);
}
