// One key that verifies tokens, loaded and checked. A KeyObject holds the material, because it never prints or
// serialises its bytes. There is no hash of it: a hash is enough to find a guessable secret.
import { createSecretKey, type KeyObject } from 'node:crypto';
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
