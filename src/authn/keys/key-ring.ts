// The keys of one issuer, loaded, and the choice among them by `kid` and `alg` (RFC 7515 §4.1.4, RFC 7517 §4).
// A ring never changes: rotation makes a new one.
import type { Secret } from '../../secrets/secret.ts';
import type { Algorithm } from './algorithms.ts';

export interface LoadedKey {
  /** RFC 7517 §4.5; keys from PEM and HMAC secrets have none. */
  readonly kid?: string;
  /** What this key verifies: its type and curve, its own `alg`, and what is configured, all at once. */
  readonly algorithms: readonly Algorithm[];
  /** Of an RSA key. */
  readonly modulusBytes?: number;
  /** The HMAC secret's text, or the public key as SPKI PEM. */
  readonly material: Secret;
}

export interface KeyRing {
  readonly size: number;
  /** Whether a token that names this `kid` could be meant for a key of this ring, whatever its algorithm. */
  readonly knows: (kid: string | undefined) => boolean;
  /** The keys that may verify a token with this `kid` and `alg`, few enough to try them all. */
  readonly candidates: (kid: string | undefined, algorithm: Algorithm) => readonly LoadedKey[];
  /** Whether this very key, with the same `kid` and algorithms, is still in force. */
  readonly holds: (identity: string) => boolean;
  /** `Secret.identity()` of every key's material. */
  readonly materials: ReadonlySet<string>;
}

/** A token that names no key is tried against this many at most: each costs a signature check. */
export const maxUnnamedKeys = 8;

/** Tells two keys apart without holding either. */
export const identityOf = (key: LoadedKey): string =>
  JSON.stringify([key.kid ?? null, key.algorithms, key.material.identity()]);

/**
 * `named`: the keys are a JWK set, so a `kid` in a token must be one of theirs.
 * Otherwise (PEM, HMAC secrets) keys have no names, and a token's `kid` says nothing.
 */
export function createKeyRing(keys: readonly LoadedKey[], named: boolean): KeyRing {
  const kids = new Set(keys.map(({ kid }) => kid));
  const identities = new Set(keys.map(identityOf));

  const candidates: KeyRing['candidates'] = (kid, algorithm) => {
    const chosen = kid !== undefined && named ? keys.filter((key) => key.kid === kid) : keys;
    const able = chosen.filter((key) => key.algorithms.includes(algorithm));
    return able.length > maxUnnamedKeys ? [] : able;
  };

  return {
    size: keys.length,
    knows: (kid) => kid === undefined || !named || kids.has(kid),
    candidates,
    holds: (identity) => identities.has(identity),
    materials: new Set(keys.map(({ material }) => material.identity())),
  };
}
