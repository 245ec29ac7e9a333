import { describe, expect, it } from 'vitest';
import type { IssuerConfig } from '../../../src/authn/issuer.ts';
import { parseIssuer } from '../../../src/authn/issuer.ts';
import { readRegisteredClaims, timeRefusal, type RegisteredClaims } from '../../../src/authn/registered-claims.ts';
import { isRefusal, type TokenRefusal } from '../../../src/authn/token-refusal.ts';
import { Secret } from '../../../src/secrets/secret.ts';

const now = 1_800_000_000;

function issuer(changes: Partial<IssuerConfig> = {}): IssuerConfig {
  const parsed = parseIssuer({
    location: { issuer: 'i', audience: 'a', algorithms: 'l', key: 'k', userClaim: 'u' },
    issuer: 'https://issuer.example',
    audience: ['me', 'us'],
    key: { kind: 'secret', text: new Secret('a-secret-of-the-registered-claims'), encoding: 'text' },
    allowHttp: false,
    userClaim: 'sub',
    clockToleranceSeconds: 30,
    allowMissingIssuer: false,
    allowMissingAudience: false,
  });
  if ('problems' in parsed) throw new Error('not an issuer');
  return { ...parsed.issuer, ...changes };
}

const claims = (changes: Record<string, unknown> = {}): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify({ iss: 'https://issuer.example', aud: 'me', sub: 'user-1', exp: now + 600, ...changes }),
  ) as Record<string, unknown>;

const outcomeOf = (result: RegisteredClaims | TokenRefusal | undefined): string =>
  result !== undefined && isRefusal(result) ? `${result.code} ${result.reason} ${result.claim ?? ''}` : 'accepted';

function accepted(result: RegisteredClaims | TokenRefusal): RegisteredClaims {
  if (isRefusal(result)) throw new Error(result.reason);
  return result;
}
const read = (changes: Record<string, unknown>, config = issuer()) =>
  outcomeOf(readRegisteredClaims(claims(changes), config));
const times = (changes: Record<string, unknown>, at: number, config = issuer()) =>
  outcomeOf(timeRefusal(accepted(readRegisteredClaims(claims(changes), config)), config, at * 1000));

describe('times', () => {
  it('refuse a token at its exp plus the tolerance', () => {
    expect(times({ exp: now }, now + 29.999)).toBe('accepted');
    expect(times({ exp: now }, now + 30)).toBe('TOKEN_EXPIRED token_expired exp');
    expect(times({ exp: now }, now, issuer({ clockToleranceSeconds: 0 }))).toBe('TOKEN_EXPIRED token_expired exp');
    expect(times({ exp: now + 0.5 }, now + 0.4, issuer({ clockToleranceSeconds: 0 }))).toBe('accepted');
  });

  it('accept an nbf that is ahead by the tolerance', () => {
    expect(times({ nbf: now + 30 }, now)).toBe('accepted');
    expect(times({ nbf: now + 30.001 }, now)).toBe('INVALID_TOKEN token_not_yet_valid nbf');
    expect(times({ nbf: now + 1 }, now, issuer({ clockToleranceSeconds: 0 }))).toBe(
      'INVALID_TOKEN token_not_yet_valid nbf',
    );
  });

  it('accept an iat that is ahead by the tolerance', () => {
    expect(times({ iat: now + 30 }, now)).toBe('accepted');
    expect(times({ iat: now + 30.001 }, now)).toBe('INVALID_TOKEN token_issued_in_future iat');
  });

  it('give TOKEN_EXPIRED only if there is no other problem', () => {
    expect(times({ exp: now - 99, nbf: now + 99 }, now)).toBe('INVALID_TOKEN token_not_yet_valid nbf');
    expect(times({ exp: now - 99, iat: now + 99 }, now)).toBe('INVALID_TOKEN token_issued_in_future iat');
  });

  it('refuse with the name of the user', () => {
    for (const changes of [{ exp: now - 99 }, { nbf: now + 99 }, { iat: now + 99 }]) {
      const registered = accepted(readRegisteredClaims(claims(changes), issuer()));
      expect(timeRefusal(registered, issuer(), now * 1000)).toMatchObject({
        iss: 'https://issuer.example',
        sub: 'user-1',
      });
    }
  });

  it('must be numbers from 0 to the end of the year 9999', () => {
    expect(read({ exp: 253_402_300_799 })).toBe('accepted');
    expect(read({ exp: 253_402_300_799.5 })).toBe('INVALID_TOKEN claim_invalid exp');
    expect(read({ nbf: 0, iat: 0 })).toBe('accepted');
    expect(read({ nbf: -0.5 })).toBe('INVALID_TOKEN claim_invalid nbf');
    expect(outcomeOf(readRegisteredClaims({ ...claims(), iat: Number.NaN }, issuer()))).toBe(
      'INVALID_TOKEN claim_invalid iat',
    );
  });
});

describe('the longest lifetime', () => {
  const short = issuer({ maxLifetimeSeconds: 600 });

  it('is measured from iat to exp', () => {
    expect(read({ iat: now, exp: now + 600 }, short)).toBe('accepted');
    expect(read({ iat: now, exp: now + 600.5 }, short)).toBe('INVALID_TOKEN token_lifetime_too_long exp');
    expect(read({ iat: now, exp: now + 9999 })).toBe('accepted');
  });

  it('requires iat, which is optional otherwise', () => {
    expect(read({}, short)).toBe('INVALID_TOKEN claim_missing iat');
    expect(read({})).toBe('accepted');
  });
});

describe('INSECURE_JWT_ALLOW_MISSING_ISSUER and _AUDIENCE', () => {
  it('allow a missing claim, but not a wrong one', () => {
    const lax = issuer({ allowMissingIssuer: true, allowMissingAudience: true });
    expect(read({ iss: undefined, aud: undefined }, lax)).toBe('accepted');
    expect(read({ iss: null }, lax)).toBe('INVALID_TOKEN issuer_refused iss');
    expect(read({ iss: 'x' }, lax)).toBe('INVALID_TOKEN issuer_refused iss');
    expect(read({ aud: null }, lax)).toBe('INVALID_TOKEN claim_invalid aud');
    expect(read({ aud: [] }, lax)).toBe('INVALID_TOKEN audience_refused aud');
  });

  it('do not allow the other claim to be missing', () => {
    expect(read({ aud: undefined }, issuer({ allowMissingIssuer: true }))).toBe('INVALID_TOKEN claim_missing aud');
    expect(read({ iss: undefined }, issuer({ allowMissingAudience: true }))).toBe('INVALID_TOKEN claim_missing iss');
  });
});

describe('claims', () => {
  it('that are inherited from a prototype do not count', () => {
    for (const name of ['iss', 'aud', 'sub', 'exp']) {
      const all = claims();
      const inherited: Record<string, unknown> = Object.create({ [name]: all[name] }) as Record<string, unknown>;
      for (const [key, value] of Object.entries(all)) if (key !== name) inherited[key] = value;
      expect(outcomeOf(readRegisteredClaims(inherited, issuer()))).toBe(`INVALID_TOKEN claim_missing ${name}`);
    }
  });

  it.each([
    '\u3164',
    '\u115F',
    '\uFFA0',
    '\u2800',
    '\u034F',
    '\uFE0F',
    '\u180B',
    '\u17B4',
    '\u{E0100}',
    '\u00AD\u200B ',
  ])('refuse a subject with only invisible characters: %j', (sub) => {
    expect(read({ sub })).toBe('INVALID_TOKEN subject_refused sub');
  });

  it('return the subject unchanged', () => {
    for (const sub of [' a ', 'A\u0301', 'a\tb', '\u200Ba', 'x'.repeat(5000), '0']) {
      expect(accepted(readRegisteredClaims(claims({ sub }), issuer())).sub).toBe(sub);
    }
  });

  it('accept one of our audiences in a list', () => {
    expect(read({ aud: ['x', 'us'] })).toBe('accepted');
    expect(read({ aud: ['x', 'y'] })).toBe('INVALID_TOKEN audience_refused aud');
  });
});

describe('the claim that names the user', () => {
  const byUid = issuer({ userClaim: 'uid' });

  it('is the configured claim; sub is then ignored', () => {
    expect(accepted(readRegisteredClaims(claims({ uid: 'u-1' }), byUid)).sub).toBe('u-1');
    expect(read({}, byUid)).toBe('INVALID_TOKEN claim_missing uid');
    expect(read({ sub: undefined, uid: 'u-1' }, byUid)).toBe('accepted');
    expect(read({ uid: '' }, byUid)).toBe('INVALID_TOKEN subject_refused uid');
  });

  it('may have any name, and must be an own member of the claims', () => {
    const config = issuer({ userClaim: 'https://example.com/user.id' });
    expect(accepted(readRegisteredClaims(claims({ 'https://example.com/user.id': 'x' }), config)).sub).toBe('x');
    expect(read({}, issuer({ userClaim: 'constructor' }))).toBe('INVALID_TOKEN claim_missing constructor');
    expect(read({ a: { b: 'x' } }, issuer({ userClaim: 'a.b' }))).toBe('INVALID_TOKEN claim_missing a.b');
  });

  it('may be an integer in the safe range, and stays a number', () => {
    for (const sub of [17, 0, -1, Number.MAX_SAFE_INTEGER]) {
      expect(accepted(readRegisteredClaims(claims({ sub }), issuer())).sub).toBe(sub);
    }
    expect(accepted(readRegisteredClaims(claims({ sub: '17' }), issuer())).sub).toBe('17');
    for (const sub of [2 ** 53, -(2 ** 53), 1e300, 0.5, true, null, [17], { id: 17 }]) {
      expect(read({ sub })).toBe('INVALID_TOKEN subject_refused sub');
    }
  });
});
