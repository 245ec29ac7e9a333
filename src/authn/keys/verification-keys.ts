// The keys that verify tokens, loaded and checked, and the ring of the active keys of one issuer, selected by `kid` and
// `alg` (RFC 7515 §4.1.4, RFC 7517 §4). A KeyObject holds the material, because it never prints or serialises its
// bytes. There is no hash of it: a hash is enough to find a guessable secret.
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { ReasonOf } from '../../refusal-reasons.ts';
import type { Secret } from '../../secrets/secret.ts';
import type { Algorithm } from './algorithms.ts';

export interface VerificationKey {
  /** RFC 7517 §4.5; keys from PEM and HMAC secrets have none. */
  readonly kid?: string | undefined;
  /** The algorithms that the key's type and curve, its own `alg` and the configuration all allow. Not empty. */
  readonly algorithms: readonly Algorithm[];
  /** Of an RSA key. */
  readonly modulusBytes?: number | undefined;
  /** The HMAC secret's bytes, or the public key. */
  readonly material: KeyObject;
  /** The configured text of the HMAC secret, before decoding. */
  readonly written?: Secret;
}

/** Whether `kid`, algorithms and material are equal. */
export const isSameKey = (a: VerificationKey, b: VerificationKey): boolean =>
  a.kid === b.kid && a.algorithms.join() === b.algorithms.join() && a.material.equals(b.material);

/** Whether the text is this HMAC secret, as configured or after decoding. */
export const isSecretOf = (key: VerificationKey, text: Secret): boolean =>
  key.written !== undefined &&
  (key.written.identity() === text.identity() || key.material.equals(createSecretKey(text.reveal(), 'utf8')));

/** Whether two lists share an HMAC secret. */
export const shareSecret = (some: readonly VerificationKey[], others: readonly VerificationKey[]): boolean =>
  some.some((key) => key.written !== undefined && others.some((other) => key.material.equals(other.material)));

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

/** Immutable: a key rotation creates a new one. */
export interface KeyRing {
  readonly keys: readonly ActiveKey[];
  /** The distinct `kid`s of the keys. */
  readonly kids: readonly string[];
  /** Whether one of the keys has this `kid`. */
  readonly hasKid: (kid: string) => boolean;
  /**
   * The keys that may have made a signature with this `kid` and `alg`: those with that `kid`, then those without one,
   * which any `kid` may mean. Empty if there are too many to try.
   */
  readonly candidates: (kid: string | undefined, algorithm: Algorithm) => readonly ActiveKey[];
  /** Whether this key is still active. */
  readonly isActive: (key: ActiveKey) => boolean;
}

/** A token is tried against at most this many keys: each costs a signature check. */
export const maxCandidateKeys = 8;

export function createKeyRing(keys: readonly ActiveKey[]): KeyRing {
  const held = new Set(keys);
  const kids = new Set(keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid])));

  return {
    keys,
    kids: [...kids],
    hasKid: (kid) => kids.has(kid),
    candidates: (kid, algorithm) => {
      const able = keys.filter((key) => key.algorithms.includes(algorithm));
      if (kid === undefined) return able.length > maxCandidateKeys ? [] : able;
      const named = able.filter((key) => key.kid === kid);
      const chosen = [...named, ...able.filter((key) => key.kid === undefined)];
      return chosen.length > maxCandidateKeys ? [] : chosen;
    },
    isActive: (key) => held.has(key),
  };
}
