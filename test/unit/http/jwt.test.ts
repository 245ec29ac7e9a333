// Every error code in fast-jwt's own list: a new one in a new version fails here and does not cause a 500. And the
// options of the verifier: a missing option would disable a check.
import { createSecretKey } from 'node:crypto';
import { TokenError } from 'fast-jwt';
import { describe, expect, it } from 'vitest';
import type { IssuerConfig } from '../../../src/authn/issuer.ts';
import { ServiceError } from '../../../src/errors.ts';
import { reasonOfLibraryError, verifierOptions } from '../../../src/http/jwt.ts';

const codes: readonly string[] = Object.values(TokenError.codes);

/** Programming errors (options, keys, signing), which no token can cause. */
const ours = ['FAST_JWT_INVALID_OPTION', 'FAST_JWT_MISSING_KEY', 'FAST_JWT_KEY_FETCHING_ERROR', 'FAST_JWT_SIGN_ERROR'];

const withCode = (code: string): unknown => Object.assign(new Error('sub is user-1'), { code });

describe('an error of the JWT library', () => {
  it('has a code in the list of the library', () => expect(codes.length).toBeGreaterThanOrEqual(18));

  it.each(codes.filter((code) => !ours.includes(code)))('%s refuses the token', (code) => {
    const reason = reasonOfLibraryError(withCode(code));
    expect(reason === 'token_expired').toBe(/EXPIRED/.test(code));
  });

  it.each([
    ['FAST_JWT_INVALID_TYPE', 'token_type_refused'],
    ['FAST_JWT_INVALID_ALGORITHM', 'algorithm_refused'],
    ['FAST_JWT_INVALID_CLAIM_VALUE', 'claim_invalid'],
    ['FAST_JWT_INVALID_SIGNATURE', 'signature_invalid'],
    ['FAST_JWT_INVALID_CRIT_HEADER', 'token_header_refused'],
    ['FAST_JWT_INACTIVE', 'token_not_yet_valid'],
    ['FAST_JWT_MALFORMED', 'token_malformed'],
    ['FAST_JWT_MISSING_REQUIRED_CLAIM', 'claim_missing'],
  ])('%s has the reason %s', (code, reason) => expect(reasonOfLibraryError(withCode(code))).toBe(reason));

  it.each([...ours, 'FST_JWT_BAD_REQUEST', 'ERR_ASSERTION', 'constructor'])(
    '%s is an internal error, and not a refusal',
    (code) => {
      expect(() => reasonOfLibraryError(withCode(code))).toThrow(ServiceError);
      expect(() => reasonOfLibraryError(withCode(code))).toThrow('INTERNAL_ERROR (bug)');
    },
  );

  it.each([[new RangeError('sub is user-1')], ['text'], [null], [undefined], [{}]])(
    '%s is an internal error, and its details are not passed on',
    (error) => {
      expect(() => reasonOfLibraryError(error)).toThrow(
        expect.objectContaining({ code: 'INTERNAL_ERROR', message: 'INTERNAL_ERROR (bug)' }) as Error,
      );
    },
  );
});

describe("the verifier's options", () => {
  const issuer = {
    iss: 'https://issuer.example',
    audience: ['me'],
    userClaim: 'uid',
    clockToleranceSeconds: 30,
    allowMissingIssuer: false,
    allowMissingAudience: false,
  } as unknown as IssuerConfig;
  const key = { algorithms: ['HS256'], material: createSecretKey(Buffer.alloc(32, 1)) } as const;

  it('include algorithm, issuer and audience as required, and disable the cache of the library', () => {
    expect(verifierOptions(issuer, key)).toEqual({
      algorithms: ['HS256'],
      allowedIss: 'https://issuer.example',
      allowedAud: ['me'],
      requiredClaims: ['exp', 'uid', 'iss', 'aud'],
      clockTolerance: 30_000,
      cache: false,
      errorCacheTTL: -1,
    });
  });

  it('do not require optional claims', () => {
    const lax = { ...issuer, allowMissingIssuer: true, allowMissingAudience: true };
    expect(verifierOptions(lax, key)).toMatchObject({ requiredClaims: ['exp', 'uid'], allowedAud: ['me'] });
  });

  it('include both names of EdDSA', () => {
    expect(verifierOptions(issuer, { ...key, algorithms: ['EdDSA'] }).algorithms).toEqual(['EdDSA', 'Ed25519']);
  });
});
