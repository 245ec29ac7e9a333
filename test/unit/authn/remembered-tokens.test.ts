import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Principal } from '../../../src/authn/principal.ts';
import { createRememberedTokens, digestOf, type RememberedToken } from '../../../src/authn/remembered-tokens.ts';

const remembered: RememberedToken = {
  principal: { iss: 'https://issuer.example', sub: 'u', exp: 1, claims: {} } as unknown as Principal,
  registered: { sub: 'u', exp: 1, nbf: undefined, iat: undefined },
  key: { algorithms: ['HS256'], material: createSecretKey(Buffer.alloc(32, 1)), verify: () => undefined },
};
const megabyte = 1024 * 1024;

describe('remembered tokens', () => {
  it('are bounded in number: the least recently used leaves first', () => {
    const tokens = createRememberedTokens(2, megabyte);
    for (const digest of ['a', 'b']) tokens.add(digest, 100, remembered);
    tokens.get('a');
    tokens.add('c', 100, remembered);
    expect(['a', 'b', 'c'].map((digest) => tokens.get(digest) !== undefined)).toEqual([true, false, true]);
  });

  it('are bounded in bytes, each by what its claims may take in memory', () => {
    const tokens = createRememberedTokens(1_000_000, megabyte);
    const held = (length: number, count: number): number => {
      const digests = Array.from({ length: count }, (_, index) => `${length} ${index}`);
      for (const digest of digests) tokens.add(digest, length, remembered);
      return digests.filter((digest) => tokens.get(digest) !== undefined).length;
    };
    expect(held(16_384, 100)).toBe(3);
    expect(held(1_024, 100)).toBe(62);
  });

  it('leave when they are forgotten', () => {
    const tokens = createRememberedTokens(2, megabyte);
    tokens.add('a', 100, remembered);
    tokens.forget('a');
    expect(tokens.get('a')).toBeUndefined();
  });

  it('are known by a hash of every byte of theirs', () => {
    expect(digestOf('a.b.c')).toMatch(/^[\w-]{43}$/);
    expect(digestOf('a.b.c')).not.toBe(digestOf('a.b.d'));
  });
});
