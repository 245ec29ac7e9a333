// Remembers verified tokens, so that a repeated token costs a hash and a look-up. Holds valid tokens only, by their
// SHA-256, each with the key that verified it. The caller checks times, issuer and key again.
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ActiveKey } from './keys/key-ring.ts';
import type { Principal } from './principal.ts';
import type { RegisteredClaims } from './registered-claims.ts';

export interface RememberedToken {
  readonly principal: Principal;
  readonly registered: RegisteredClaims;
  /** The key that verified it, of the principal's issuer. */
  readonly key: ActiveKey;
}

/** Identifies a token without holding it. */
export type TokenDigest = string;

export interface RememberedTokens {
  readonly get: (digest: TokenDigest) => RememberedToken | undefined;
  /** `length`: of the token, in characters. */
  readonly add: (digest: TokenDigest, length: number, remembered: RememberedToken) => void;
  readonly forget: (digest: TokenDigest) => void;
}

export const digestOf = (token: string): TokenDigest => hash('sha256', token, 'base64url');

/** Claims of many small objects take up to 16 times their text in memory. */
const bytesPerCharacter = 16;
const bytesPerEntry = 512;

/** Bounds the number of entries and their bytes, so that a few callers with huge tokens cannot fill the memory. */
export function createRememberedTokens(maxEntries: number, maxBytes: number): RememberedTokens {
  const entries = new LRUCache<TokenDigest, RememberedToken>({ max: maxEntries, maxSize: maxBytes });
  return {
    get: (digest) => entries.get(digest),
    add: (digest, length, remembered) =>
      void entries.set(digest, remembered, { size: length * bytesPerCharacter + bytesPerEntry }),
    forget: (digest) => void entries.delete(digest),
  };
}
