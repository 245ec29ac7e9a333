// The keys of one issuer that are in force, and the choice among them by `kid` and `alg` (RFC 7515 §4.1.4, RFC 7517 §4).
// A ring never changes: rotation makes a new one.
import type { Algorithm } from './algorithms.ts';
import type { VerificationKey } from './verification-key.ts';
import type { VerifyToken } from '../verify-token.ts';

/** A key with the verifier that was made for it. */
export interface KeyInForce extends VerificationKey {
  readonly verify: VerifyToken;
}

export interface KeyRing {
  readonly keys: readonly KeyInForce[];
  /** The names of the keys, without repetition. */
  readonly kids: readonly string[];
  /** Whether one of the keys has this `kid`. */
  readonly names: (kid: string) => boolean;
  /**
   * The keys that may have made a signature with this `kid` and `alg`: those of that name, then those without any, for
   * a name that only the issuer uses says nothing about them. Few enough to try them all, or none.
   */
  readonly candidates: (kid: string | undefined, algorithm: Algorithm) => readonly KeyInForce[];
  /** Whether this very key is still in force. */
  readonly holds: (key: KeyInForce) => boolean;
}

/** A token is tried against this many keys at most: each costs a signature check. */
export const maxCandidateKeys = 8;

export function createKeyRing(keys: readonly KeyInForce[]): KeyRing {
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
