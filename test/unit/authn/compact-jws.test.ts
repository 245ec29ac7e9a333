import { describe, expect, it } from 'vitest';
import { parseCompactJws } from '../../../src/authn/compact-jws.ts';
import { ServiceError } from '../../../src/errors.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64url');
const reasonOf = (token: string): string => {
  try {
    parseCompactJws(token);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return error.reason;
  }
};

describe('the compact form', () => {
  it('gives header, payload and the length of the signature, unverified', () => {
    const token = `${encode('{"alg":"x"}')}.${encode('{"sub":"u"}')}.${encode('four')}`;
    expect(parseCompactJws(token)).toEqual({ header: { alg: 'x' }, payload: { sub: 'u' }, signatureLength: 4 });
  });

  it('has 16,384 bytes at most', () => {
    const head = `${encode('{}')}.${encode('{}')}.`;
    const ofSize = (bytes: number): string => head + 'A'.repeat(bytes - head.length);
    expect(ofSize(16_384)).toHaveLength(16_384);
    expect(reasonOf(ofSize(16_384))).toBe('accepted');
    expect(reasonOf(ofSize(16_385))).toBe('token_too_large');
  });

  it.each(['', 'e30', 'e30.e30', 'e30.e30.', '.e30.AA', 'e30..AA', 'e30.e30.AA.', 'e30.e30.AA.AA'])(
    'is not %j',
    (token) => {
      expect(reasonOf(token)).toBe('token_malformed');
    },
  );

  it.each(['e3 0', 'e30=', 'e3+0', 'e3/0', 'e31', 'e3', 'é30', 'e30\n'])('has no segment %j, wherever', (segment) => {
    expect(reasonOf(`${segment}.e30.AA`)).toBe('token_malformed');
    expect(reasonOf(`e30.${segment}.AA`)).toBe('token_malformed');
    if (segment !== 'e3') expect(reasonOf(`e30.e30.${segment}`)).toBe('token_malformed');
  });
});
