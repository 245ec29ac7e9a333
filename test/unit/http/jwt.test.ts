import { describe, expect, it } from 'vitest';
import { reasonOfLibraryError } from '../../../src/http/jwt.ts';

describe('an error of the JWT library', () => {
  it.each([
    ['FAST_JWT_INVALID_TYPE', 'token_type_refused'],
    ['FAST_JWT_INVALID_ALGORITHM', 'algorithm_refused'],
    ['FAST_JWT_INVALID_CLAIM_VALUE', 'claim_invalid'],
    ['FAST_JWT_INVALID_SIGNATURE', 'signature_invalid'],
    ['FAST_JWT_INVALID_CRIT_HEADER', 'token_header_refused'],
    ['FAST_JWT_EXPIRED', 'token_expired'],
    ['FAST_JWT_INACTIVE', 'token_not_yet_valid'],
    ['FAST_JWT_MALFORMED', 'token_malformed'],
    ['FAST_JWT_MISSING_REQUIRED_CLAIM', 'claim_missing'],
  ])('is a reason of ours: %s', (code, reason) => {
    expect(reasonOfLibraryError(Object.assign(new Error(), { code }))).toBe(reason);
  });

  it.each([
    new Error(),
    new TypeError('x'),
    { code: 'FAST_JWT_UNHEARD_OF' },
    { code: 'ECONNREFUSED' },
    null,
    undefined,
    'FAST_JWT_EXPIRED',
    () => undefined,
  ])('that is unknown is a bug, not the fault of the caller: %s', (thrown) => {
    expect(() => reasonOfLibraryError(thrown)).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR' }));
  });
});
