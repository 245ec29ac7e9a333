// One key that verifies tokens, loaded and checked. It holds its material as a KeyObject, which prints, serialises and
// inspects as nothing, and no hash of it: the hash of a guessable secret is enough to find the secret.
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Secret } from '../../secrets/secret.ts';
import type { Algorithm } from './algorithms.ts';

export interface VerificationKey {
  /** RFC 7517 §4.5; keys from PEM and HMAC secrets have none. */
  readonly kid?: string;
  /** What this key verifies: its type and curve, its own `alg`, and what is configured, all at once. Not empty. */
  readonly algorithms: readonly Algorithm[];
  /** Of an RSA key. */
  readonly modulusBytes?: number;
  /** The HMAC secret's bytes, or the public key. */
  readonly material: KeyObject;
  /** The HMAC secret as it was configured, before it was decoded. */
  readonly written?: Secret;
}

/** Why a key cannot be used. The message is for the operator and holds nothing of the key. */
export class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}

/** The same key for the same tokens: `kid`, algorithms and material. */
export const isSameKey = (a: VerificationKey, b: VerificationKey): boolean =>
  a.kid === b.kid && a.algorithms.join() === b.algorithms.join() && a.material.equals(b.material);

/** Whether the text, as it is or as the key's text was decoded, is this HMAC secret. */
export const isSecretOf = (key: VerificationKey, text: Secret): boolean =>
  key.written !== undefined &&
  (key.written.identity() === text.identity() || key.material.equals(createSecretKey(text.reveal(), 'utf8')));

/** Whether two lists have an HMAC secret in common. */
export const shareSecret = (some: readonly VerificationKey[], others: readonly VerificationKey[]): boolean =>
  some.some((key) => key.written !== undefined && others.some((other) => key.material.equals(other.material)));
