// Keys for what lies in Redis, derived from an API key (RFC 5869): every replica that holds the API key derives the
// same, nobody who holds only a dump of Redis can, and nothing about the API key follows from them.
import { hkdfSync } from 'node:crypto';
import type { Secret } from '../secrets/secret.ts';

/** What a key is for. A change of what is stored under one takes a new number, so that old and new never mix. */
export type KeyPurpose = 'token encryption 1' | 'token index 1' | 'limit index 1';

const salt = 'guest-token-proxy redis';

export type DeriveKey = (secret: Secret, purpose: KeyPurpose) => Buffer;

/** Derives 256-bit keys, each once for a Secret. */
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
