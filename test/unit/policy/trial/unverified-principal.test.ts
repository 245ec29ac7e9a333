import { describe, expect, it } from 'vitest';
import { trialTimeMs, unverifiedPrincipal } from '../../../../src/policy/trial/unverified-principal.ts';

describe('the time of a trial', () => {
  it.each<readonly [Record<string, unknown>, number]>([
    [{ iat: 1_000, exp: 5_000 }, 1_000_000],
    [{ iat: 0.5 }, 500],
    [{ exp: 5_000 }, 1_400_000],
    [{ iat: '1000', exp: 5_000 }, 1_400_000],
    [{ iat: Number.NaN, exp: 5_000 }, 1_400_000],
    [{ exp: Number.POSITIVE_INFINITY }, Date.UTC(2026, 0, 1)],
    [{ exp: null }, Date.UTC(2026, 0, 1)],
    [{}, Date.UTC(2026, 0, 1)],
  ])('for %j is %i ms', (claims, timeMs) => {
    expect(trialTimeMs(claims)).toBe(timeMs);
  });
});

describe('an unverified principal', () => {
  it('has the subject, issuer and expiry in its claims', () => {
    expect(unverifiedPrincipal({ iss: 'i', sub: 's', exp: 7 }, 1_000)).toMatchObject({ iss: 'i', sub: 's', exp: 7 });
  });

  it('has no subject and issuer without these claims, and expires one hour after the trial', () => {
    expect(unverifiedPrincipal({ iss: 1, sub: null, exp: '7' }, 1_000)).toMatchObject({ iss: '', sub: '', exp: 3_601 });
    expect(unverifiedPrincipal({ exp: Number.NaN }, 0).exp).toBe(3_600);
  });

  it('is frozen at every depth', () => {
    const { claims } = unverifiedPrincipal({ a: { b: [{ c: 1 }, null, 'x'] } }, 0);
    const { b } = claims['a'] as { b: object[] };
    expect([claims, claims['a'], b, b[0]].every(Object.isFrozen)).toBe(true);
  });
});
