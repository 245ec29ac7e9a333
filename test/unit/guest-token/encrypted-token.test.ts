import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openToken, sealToken } from '../../../src/guest-token/encrypted-token.ts';

const key = randomBytes(32);
const stored = { token: '0d6c2f0e-2d7c-4c8f-9a51-7b0f6f3f1a2b', lifetimeMs: 3_600_000, endsAtMs: 1_790_000_000_000 };

describe('a token encrypted at rest', () => {
  it('can be decrypted with the same key and name', () => {
    expect(openToken(sealToken(stored, key, 'name'), key, 'name')).toEqual(stored);
    const bound = { ...stored, notAfterMs: 1_790_000_000_000 };
    expect(openToken(sealToken(bound, key, 'name'), key, 'name')).toEqual(bound);
  });

  it('shows neither the token nor that two values contain the same token', () => {
    const [first, second] = [sealToken(stored, key, 'name'), sealToken(stored, key, 'name')];
    expect(first.includes('0d6c2f0e')).toBe(false);
    expect(first.equals(second)).toBe(false);
  });

  it('is ignored with another key, another name, a changed byte, or truncated', () => {
    const sealed = sealToken(stored, key, 'name');
    expect(openToken(sealed, randomBytes(32), 'name')).toBeUndefined();
    expect(openToken(sealed, key, 'other name')).toBeUndefined();
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(openToken(changed, key, 'name'), `byte ${index}`).toBeUndefined();
      expect(openToken(sealed.subarray(0, index), key, 'name'), `cut at ${index}`).toBeUndefined();
    }
    expect(openToken(Buffer.from('foreign value that is long enough to hold a header'), key, 'name')).toBeUndefined();
  });

  it.each([
    ['a token that is not a UUID', { ...stored, token: 'token' }],
    ['an unlimited lifetime', { ...stored, lifetimeMs: null }],
    ['no end', { token: stored.token, lifetimeMs: 1 }],
    ['an invalid limit', { ...stored, notAfterMs: 'never' }],
  ])('is ignored with %s', (_, content) => {
    const sealed = sealToken(content as unknown as typeof stored, key, 'name');
    expect(openToken(sealed, key, 'name')).toBeUndefined();
  });
});
