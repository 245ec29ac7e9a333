// The active keys of one issuer, selected by `kid` and `alg` (RFC 7515 §4.1.4, RFC 7517 §4). A ring is immutable: a key
// rotation creates a new one.
import type { ReasonOf } from '../../refusal-reasons.ts';
import type { Algorithm } from './algorithms.ts';
import type { VerificationKey } from './verification-key.ts';

/** The reasons of a verifier. */
export type SignedTokenReason = ReasonOf<'INVALID_TOKEN'> | 'token_expired';

/**
 * Verifies the signature with one key, then the registered claims. Returns undefined if both are valid, otherwise the
 * reason. After `signature_invalid` another key may fit; `token_expired` and `token_not_yet_valid` mean that the
 * signature is valid. Throws only for bugs.
 */
export type VerifyToken = (token: string) => SignedTokenReason | undefined;

/** A key with its verifier. */
export interface ActiveKey extends VerificationKey {
  readonly verify: VerifyToken;
}

export interface KeyRing {
  readonly keys: readonly ActiveKey[];
  /** The distinct `kid`s of the keys. */
  readonly kids: readonly string[];
  /** Whether one of the keys has this `kid`. */
  readonly names: (kid: string) => boolean;
  /**
   * The keys that may have made a signature with this `kid` and `alg`: those with that `kid`, then those without one,
   * which any `kid` may mean. Empty if there are too many to try.
   */
  readonly candidates: (kid: string | undefined, algorithm: Algorithm) => readonly ActiveKey[];
  /** Whether this key is still active. */
  readonly holds: (key: ActiveKey) => boolean;
}

/** A token is tried against at most this many keys: each costs a signature check. */
export const maxCandidateKeys = 8;

export function createKeyRing(keys: readonly ActiveKey[]): KeyRing {
  const held = new Set(keys);
  const kids = new Set(keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid])));

  return {
    keys,
    kids: [...kids],
    names: (kid) => kids.has(kid),
    candidates: (kid, algorithm) => {
      const able = keys.filter((key) => key.algorithms.includes(algorithm));
      if (kid === undefined) return able.length > maxCandidateKeys ? [] : able;
      const named = able.filter((key) => key.kid === kid);
      const chosen = [...named, ...able.filter((key) => key.kid === undefined)];
      return chosen.length > maxCandidateKeys ? [] : chosen;
    },
    holds: (key) => held.has(key),
  };
}
