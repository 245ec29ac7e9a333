// Tokens whose signature was checked already, so that a repeat costs a hash and a lookup. Holds good tokens only, by
// SHA-256, each with the key that verified it; times, issuer and key are checked again by whoever asks.
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Principal } from './principal.ts';
import type { RegisteredClaims } from './registered-claims.ts';

export interface RememberedToken {
  readonly principal: Principal;
  readonly registered: RegisteredClaims;
  /** The issuer whose key verified it. */
  readonly iss: string;
  /** `identityOf` that key. */
  readonly key: string;
}

export interface RememberedTokens {
  readonly get: (token: string) => RememberedToken | undefined;
  readonly add: (token: string, remembered: RememberedToken) => void;
  readonly forget: (token: string) => void;
}

/** Bounds number and bytes together: a few callers with huge tokens cannot fill the memory. */
export function createRememberedTokens(maxEntries: number, maxBytes: number): RememberedTokens {
  const entries = new LRUCache<string, RememberedToken>({ max: maxEntries, maxSize: maxBytes });
  const keyOf = (token: string): string => hash('sha256', token, 'base64url');
  return {
    get: (token) => entries.get(keyOf(token)),
    // Claims in memory take up to 16 times their text, if they are many small objects.
    add: (token, remembered) => void entries.set(keyOf(token), remembered, { size: token.length * 16 + 512 }),
    forget: (token) => void entries.delete(keyOf(token)),
  };
}
