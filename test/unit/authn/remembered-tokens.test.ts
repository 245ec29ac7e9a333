import { createSecretKey, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Principal } from '../../../src/authn/principal.ts';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createRememberedTokens,
  digestOf,
  memoryOf,
  type RememberedToken,
} from '../../../src/authn/remembered-tokens.ts';
import { deepFreeze } from '../../../src/strict-json.ts';

const rememberedWith = (claims: Principal['claims']): RememberedToken => ({
  principal: { iss: 'https://issuer.example', sub: 'u', exp: 1, claims } as unknown as Principal,
  registered: { sub: 'u', exp: 1, nbf: undefined, iat: undefined },
  key: { algorithms: ['HS256'], material: createSecretKey(Buffer.alloc(32, 1)), verify: () => undefined },
});
const remembered = rememberedWith({});
const megabyte = 1024 * 1024;

const list = <T>(length: number, item: (index: number) => T): readonly T[] =>
  Array.from({ length }, (_, index) => item(index));

const usualClaims = (user: number) => ({
  iss: 'https://tenant.eu.auth0.com/',
  sub: `auth0|65f0c0ffee${user}`,
  aud: ['https://api.example.com', 'https://tenant.eu.auth0.com/userinfo'],
  iat: 1_790_000_000 + user,
  exp: 1_790_003_600 + user,
  scope: 'openid profile email offline_access',
  realm_access: { roles: list(20, (index) => `reports-of-region-${index}:read`) },
  resource_access: { reports: { roles: ['viewer', 'editor'] }, account: { roles: ['manage-account', 'view-profile'] } },
  org_id: `org-${user}`,
  name: `Person No. ${user}`,
});

describe('remembered tokens', () => {
  it('are limited in number: the least recently used token is removed first', () => {
    const tokens = createRememberedTokens(2, megabyte);
    for (const digest of ['a', 'b']) tokens.add(digest, remembered);
    tokens.get('a');
    tokens.add('c', remembered);
    expect(['a', 'b', 'c'].map((digest) => tokens.get(digest) !== undefined)).toEqual([true, false, true]);
  });

  it('are limited in bytes, by the memory that their claims may need', () => {
    const tokens = createRememberedTokens(1_000_000, megabyte);
    const held = (claims: Principal['claims'], count: number): number => {
      const digests = Array.from({ length: count }, () => randomUUID());
      for (const digest of digests) tokens.add(digest, rememberedWith(claims));
      return digests.filter((digest) => tokens.get(digest) !== undefined).length;
    };
    expect(held({ list: Array.from({ length: 1_000 }, () => ({})) }, 100)).toBe(3);
    expect(held({ text: 'a'.repeat(8_000) }, 100)).toBe(62);
  });

  it('fit 10,000 times into 64 MiB with the claims that identity providers send', () => {
    const tokens = createRememberedTokens(10_000, 64 * megabyte);
    const digests = Array.from({ length: 10_000 }, (_, index) => String(index));
    for (const digest of digests) tokens.add(digest, rememberedWith(usualClaims(0)));
    expect(digests.filter((digest) => tokens.get(digest) === undefined)).toEqual([]);
  });

  it('are removed by forget', () => {
    const tokens = createRememberedTokens(2, megabyte);
    tokens.add('a', remembered);
    tokens.forget('a');
    expect(tokens.get('a')).toBeUndefined();
  });

  it('are identified by a hash of all their bytes', () => {
    expect(digestOf('a.b.c')).toMatch(/^[\w-]{43}$/);
    expect(digestOf('a.b.c')).not.toBe(digestOf('a.b.d'));
  });
});

describe('the estimated memory of claims', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const heapBytes = (): number => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  /** A different name in each token, so that tokens share neither names nor shapes. */
  const name = (token: number, index: number): string => `k${(token * 1_000 + index).toString(36)}`;

  it.each<[string, (token: number) => object]>([
    ['usual claims', usualClaims],
    ['a long string', (token) => ({ token, text: '\u4e00'.repeat(4_000) })],
    ['short strings', (token) => ({ list: list(1_000, (index) => name(token, index)) })],
    ['fractions', () => ({ list: list(2_000, () => 1.5) })],
    ['empty objects', () => ({ list: list(1_000, () => ({})) })],
    ['empty lists', () => ({ list: list(1_000, () => []) })],
    ['an object with many members', (token) => Object.fromEntries(list(500, (index) => [name(token, index), 1]))],
    ['objects of distinct shapes', (token) => ({ list: list(300, (index) => ({ [name(token, index)]: 1 })) })],
    ['sparse lists', () => ({ list: list(300, (index) => ({ [index * 1_000]: 1 })) })],
  ])('is not too low: %s', (_, claimsOf) => {
    const texts = list(50, (token) => JSON.stringify(claimsOf(token)));
    const parse = (text: string): unknown => deepFreeze(JSON.parse(text) as unknown);
    const estimate = memoryOf(parse(texts[1] ?? ''));
    const before = heapBytes();
    const kept = texts.map(parse);
    const used = (heapBytes() - before) / kept.length;
    expect(estimate).toBeGreaterThan(used);
    expect(kept).toHaveLength(texts.length);
  });
});
