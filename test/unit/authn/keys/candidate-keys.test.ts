import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Algorithm } from '../../../../src/authn/keys/algorithms.ts';
import { candidateKeys, expectKey, type Issuer } from '../../../../src/authn/keys/candidate-keys.ts';
import type { JoseHeader } from '../../../../src/authn/jose-header.ts';
import { loadPublicKeys } from '../../../../src/authn/keys/public-keys.ts';
import { ServiceError } from '../../../../src/errors.ts';

const algorithms: readonly Algorithm[] = ['RS256', 'ES256'];
const ring = loadPublicKeys(
  JSON.stringify({
    keys: [
      { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), kid: 'rsa-2048' },
      { ...generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey.export({ format: 'jwk' }), kid: 'rsa-3072' },
      { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'ec' },
    ],
  }),
  algorithms,
);

/** An issuer of these keys that counts what is asked of it. */
function issuerWith(rings: readonly (typeof ring | undefined)[]): { issuer: Issuer; asked: string[] } {
  const asked: string[] = [];
  let at = 0;
  const keys = {
    ring: () => rings[at],
    settled: async () => void ((at += 1), asked.push('settled')),
    refreshForUnknownKey: async () => void asked.push('refresh'),
  };
  return { issuer: { config: {}, keys } as unknown as Issuer, asked };
}

const header = (algorithm: Algorithm, kid?: string): JoseHeader =>
  ({ algorithm, ...(kid === undefined ? {} : { kid }) }) as JoseHeader;

const candidates = (algorithm: Algorithm, kid: string | undefined, signatureLength: number) =>
  candidateKeys(issuerWith([ring]).issuer, header(algorithm, kid), signatureLength).map((key) => key.kid);

const reasonOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ServiceError) return error.reason;
    throw error;
  }
  return 'none';
};

describe('the keys that may have signed a token', () => {
  it('are those whose signatures have the length of its signature', () => {
    expect(candidates('RS256', undefined, 256)).toEqual(['rsa-2048']);
    expect(candidates('RS256', undefined, 384)).toEqual(['rsa-3072']);
    expect(candidates('RS256', 'rsa-3072', 384)).toEqual(['rsa-3072']);
    expect(candidates('ES256', undefined, 64)).toEqual(['ec']);
  });

  it.each([
    ['RS256', undefined, 255],
    ['RS256', 'rsa-2048', 384],
    ['RS256', 'rsa-2048', 257],
    ['ES256', 'ec', 63],
    ['ES256', undefined, 0],
  ] as const)(
    'are none for a signature of %s by %s of %i bytes, and nothing is verified for it',
    (algorithm, kid, length) => {
      expect(reasonOf(() => candidates(algorithm, kid, length))).toBe('signature_invalid');
    },
  );

  it('are none where the header fits no key', () => {
    expect(reasonOf(() => candidates('RS256', 'other', 256))).toBe('key_unknown');
    expect(reasonOf(() => candidates('RS256', 'ec', 256))).toBe('algorithm_refused');
    expect(reasonOf(() => candidates('PS256', undefined, 256))).toBe('key_unknown');
  });

  it('are not at hand while there is no key set', () => {
    const { issuer } = issuerWith([undefined]);
    expect(reasonOf(() => candidateKeys(issuer, header('RS256'), 256))).toBe('keys_unavailable');
  });
});

describe('waiting for a key', () => {
  it('is not done for one that is known', async () => {
    const { issuer, asked } = issuerWith([ring]);
    await expectKey(issuer, header('RS256', 'rsa-2048'));
    await expectKey(issuer, header('RS256'));
    expect(asked).toEqual([]);
  });

  it('asks once more for one that is not', async () => {
    const { issuer, asked } = issuerWith([ring]);
    await expectKey(issuer, header('RS256', 'other'));
    expect(asked).toEqual(['refresh']);
  });

  it('is for the first key set, and refused when that does not come', async () => {
    const late = issuerWith([undefined, ring]);
    await expectKey(late.issuer, header('RS256', 'rsa-2048'));
    expect(late.asked).toEqual(['settled']);
    const never = issuerWith([undefined]);
    await expect(expectKey(never.issuer, header('RS256', 'rsa-2048'))).rejects.toMatchObject({
      reason: 'keys_unavailable',
    });
    expect(never.asked).toEqual(['settled']);
  });
});
