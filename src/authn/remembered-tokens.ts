// Remembers verified tokens, so that a repeated token costs a hash and a look-up. Holds valid tokens only, by their
// SHA-256, each with the key that verified it. The caller checks times, issuer and key again.
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ActiveKey } from './keys/verification-keys.ts';
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
  readonly add: (digest: TokenDigest, remembered: RememberedToken) => void;
  readonly forget: (digest: TokenDigest) => void;
}

export const digestOf = (token: string): TokenDigest => hash('sha256', token, 'base64url');

const bytesPerEntry = 512;

/**
 * The maximum memory of a value from JSON, in bytes. An object counts much more than its members, because each
 * may have a shape of its own. A factor of the token's length would fit such claims or usual ones, not both: per
 * character of JSON they take 20 bytes and 2.
 */
export function memoryOf(value: unknown): number {
  if (typeof value === 'string') return 32 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 16;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 8 + memoryOf(item), 64);
  let sum = 256;
  for (const [name, member] of Object.entries(value)) sum += 64 + 2 * name.length + memoryOf(member);
  return sum;
}

/** Bounds the number of entries and their bytes, so that a few callers with huge claims cannot fill the memory. */
export function createRememberedTokens(maxEntries: number, maxBytes: number): RememberedTokens {
  const entries = new LRUCache<TokenDigest, RememberedToken>({ max: maxEntries, maxSize: maxBytes });
  return {
    get: (digest) => entries.get(digest),
    add: (digest, remembered) =>
      void entries.set(digest, remembered, { size: memoryOf(remembered.principal.claims) + bytesPerEntry }),
    forget: (digest) => void entries.delete(digest),
  };
}
