import { describe, expect, it } from 'vitest';
import { parseCompactJws } from '../../../src/authn/compact-jws.ts';
import { isRefusal } from '../../../src/authn/token-refusal.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64url');
const reasonOf = (token: string): string => {
  const parsed = parseCompactJws(token);
  return isRefusal(parsed) ? parsed.reason : 'accepted';
};

describe('parseCompactJws', () => {
  it('returns header, payload and the length of the signature, unverified', () => {
    const token = `${encode('{"alg":"x"}')}.${encode('{"sub":"u"}')}.${encode('four')}`;
    expect(parseCompactJws(token)).toEqual({ header: { alg: 'x' }, payload: { sub: 'u' }, signatureLength: 4 });
  });

  it('accepts a token whose header and payload have a member named refused', () => {
    const token = `${encode('{"refused":true}')}.${encode('{"refused":true,"reason":"x"}')}.AA`;
    expect(reasonOf(token)).toBe('accepted');
  });

  it.each(['', 'e30', 'e30.e30', 'e30.e30.', '.e30.AA', 'e30..AA', 'e30.e30.AA.', 'e30.e30.AA.AA'])(
    'refuses %j',
    (token) => {
      expect(reasonOf(token)).toBe('token_malformed');
    },
  );

  it.each(['e3 0', 'e30=', 'e3+0', 'e3/0', 'e31', 'e3', 'é30', 'e30\n'])(
    'refuses the segment %j in every position',
    (segment) => {
      expect(reasonOf(`${segment}.e30.AA`)).toBe('token_malformed');
      expect(reasonOf(`e30.${segment}.AA`)).toBe('token_malformed');
      if (segment !== 'e3') expect(reasonOf(`e30.e30.${segment}`)).toBe('token_malformed');
    },
  );
});
