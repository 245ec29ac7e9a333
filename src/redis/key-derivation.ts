// Derives the keys for data in Redis from an API key (RFC 5869). Every replica with the API key derives the same keys;
// with a dump of Redis alone nobody can, and they reveal nothing about the API key.
import { hkdfSync } from 'node:crypto';
import type { Secret } from '../secrets/secret.ts';

/** The purpose of a key. A change of the stored format gets a new number, so that old and new values never mix. */
export type KeyPurpose = 'token encryption 1' | 'token index 1' | 'limit index 1';

const salt = 'guest-token-proxy redis';

export type DeriveKey = (secret: Secret, purpose: KeyPurpose) => Buffer;

/** Derives 256-bit keys, once per Secret. */
export function createKeyDerivation(): DeriveKey {
  const derived = new WeakMap<Secret, Map<KeyPurpose, Buffer>>();
  return (secret, purpose) => {
    const ofSecret = derived.get(secret) ?? new Map<KeyPurpose, Buffer>();
    derived.set(secret, ofSecret);
    const known = ofSecret.get(purpose);
    if (known !== undefined) return known;
    const key = Buffer.from(hkdfSync('sha256', secret.reveal(), salt, purpose, 32));
    ofSecret.set(purpose, key);
    return key;
  };
}
