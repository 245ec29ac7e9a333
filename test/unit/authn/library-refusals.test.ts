// Every error code that @fastify/jwt and fast-jwt can give, as they list them themselves: a new one in a new version
// fails here instead of answering 500 to a caller.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TokenError } from 'fast-jwt';
import { describe, expect, it } from 'vitest';
import { toServiceError } from '../../../src/http/jwt.ts';

const codes: readonly string[] = Object.values(TokenError.codes);
const pluginText = readFileSync(createRequire(import.meta.url).resolve('@fastify/jwt'), 'utf8');
const pluginCodes = [...new Set(pluginText.match(/F[AS][A-Z]*_JWT_[A-Z_]+/g))];

/** Mistakes of ours (options, keys, signing), which no token can cause. */
const ours = ['FAST_JWT_INVALID_OPTION', 'FAST_JWT_MISSING_KEY', 'FAST_JWT_KEY_FETCHING_ERROR', 'FAST_JWT_SIGN_ERROR'];
/** Of the plugin's own search for the token, which is not used. */
const notUsed = [
  'FST_JWT_NO_AUTHORIZATION_IN_COOKIE',
  'FST_JWT_NO_AUTHORIZATION_IN_HEADER',
  'FST_JWT_BAD_COOKIE_REQUEST',
];

const withCode = (code: string): unknown => Object.assign(new Error('sub is user-1'), { code });

describe('an error of the JWT libraries', () => {
  it('is looked up by lists that are not empty', () => {
    expect(codes.length).toBeGreaterThanOrEqual(18);
    expect(pluginCodes.length).toBeGreaterThanOrEqual(8);
  });

  it.each([...new Set([...codes, ...pluginCodes])].filter((code) => ![...ours, ...notUsed].includes(code)))(
    '%s is a refusal of the token',
    (code) => {
      const refused = toServiceError(withCode(code));
      expect(refused.code).toBe(/EXPIRED/.test(code) ? 'TOKEN_EXPIRED' : 'INVALID_TOKEN');
      expect(refused).not.toHaveProperty('cause');
      expect(JSON.stringify(refused) + refused.message).not.toContain('user-1');
    },
  );

  it.each([...ours, ...notUsed, 'ERR_ASSERTION', 'constructor'])('%s is a bug, never a refusal', (code) => {
    expect(toServiceError(withCode(code))).toMatchObject({ code: 'INTERNAL_ERROR', reason: 'bug' });
  });

  it.each([[new RangeError('Invalid time value')], ['text'], [null], [undefined], [{}]])('%s is a bug', (error) => {
    expect(toServiceError(error)).toMatchObject({ code: 'INTERNAL_ERROR', reason: 'bug' });
  });
});
