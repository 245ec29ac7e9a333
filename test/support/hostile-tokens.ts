// The table of hostile tokens. Each differs from a valid token in one thing only, so that no other check refuses it
// first. Used by the tests of authn/ and, over HTTP, by those of the whole service.
import type { AuthnReason } from '../../src/refusal-reasons.ts';
import { hostileAlgorithms } from './hostile-tokens/algorithms.ts';
import { hostileClaims } from './hostile-tokens/claims.ts';
import { hostileEncodings } from './hostile-tokens/encodings.ts';
import { hostileHeaders } from './hostile-tokens/headers.ts';
import { hostileSignatures } from './hostile-tokens/signatures.ts';
import type { TokenIssuers } from './servers/token-issuers.ts';

export interface HostileToken {
  readonly title: string;
  readonly token: string;
  readonly reason: AuthnReason;
  /** Default: INVALID_TOKEN. */
  readonly code?: 'INVALID_TOKEN' | 'TOKEN_EXPIRED' | 'HEADERS_TOO_LARGE';
}

export const hostileTokens = (issuers: TokenIssuers): readonly HostileToken[] => [
  ...hostileAlgorithms(issuers),
  ...hostileHeaders(issuers),
  ...hostileClaims(issuers),
  ...hostileEncodings(issuers),
  ...hostileSignatures(issuers),
];

const token68 = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * The token that the service reads from `Authorization: Bearer <token>`: undefined if that is not one header value,
 * or is not the same token once it was (a space at its start belongs to the scheme).
 */
export function overHttp(hostile: HostileToken): Required<HostileToken> | undefined {
  const { token } = hostile;
  if (!/^[\x20-\x7E\xA1-\xFF]+$/.test(token) || token.trim() !== token) return undefined;
  const reason = token68.test(token) ? hostile.reason : 'credentials_malformed';
  return { ...hostile, code: token68.test(token) ? (hostile.code ?? 'INVALID_TOKEN') : 'INVALID_TOKEN', reason };
}

/** Tokens that must be accepted: a check that refuses every token would pass the table above. */
export function goodTokens(issuers: TokenIssuers): readonly { readonly title: string; readonly token: string }[] {
  const { token, texts, signWith, headerText, payloadText, claims, keys, now } = issuers;
  return [
    { title: 'HS256', token: token('hmac') },
    { title: 'RS256', token: token('rsa') },
    { title: 'PS256', token: token('pss') },
    { title: 'ES256', token: token('ec') },
    { title: 'ES384 from a set', token: token('set') },
    { title: 'EdDSA', token: token('ed') },
    { title: 'Ed25519, the other name of EdDSA', token: token('ed', {}, { alg: 'Ed25519' }) },
    { title: 'the old HMAC secret during rotation', token: signWith('HS256', keys.oldSecret, 'hmac') },
    { title: 'no typ', token: token('hmac', {}, { typ: undefined }) },
    { title: 'typ at+jwt', token: token('rsa', {}, { typ: 'at+jwt' }) },
    { title: 'typ application/AT+JWT', token: token('rsa', {}, { typ: 'application/AT+JWT' }) },
    { title: 'typ jwt in lower case', token: token('rsa', {}, { typ: 'jwt' }) },
    { title: 'a kid if the keys have none', token: token('hmac', {}, { kid: 'any' }) },
    { title: 'no kid and one matching key', token: token('rsa', {}, { kid: undefined }) },
    {
      title: 'jku, x5u, jwk and x5c, which are ignored',
      token: token('rsa', {}, { jku: 'https://a.example', x5c: [] }),
    },
    { title: 'a cty other than JWT', token: token('rsa', {}, { cty: 'json' }) },
    { title: 'aud as a list', token: token('rsa', { aud: ['someone-else', 'guest-token-proxy'] }) },
    { title: 'the second configured audience', token: token('rsa', { aud: 'another-audience' }) },
    { title: 'fractional times', token: token('hmac', { iat: now - 0.5, nbf: now - 0.25, exp: now + 600.75 }) },
    { title: 'an exp in the past, within the tolerance', token: token('hmac', { exp: now - 5 }) },
    {
      title: 'nbf and iat in the future, within the tolerance',
      token: token('hmac', { nbf: now + 15, iat: now + 15 }),
    },
    { title: 'no nbf and no iat', token: token('hmac', { iat: undefined }) },
    { title: 'white space between members', token: texts('hmac', headerText('hmac'), spaced(claims('hmac'))) },
    { title: 'names of Object.prototype as claims', token: texts('hmac', headerText('hmac'), protoClaims()) },
    { title: 'sub in another script', token: token('hmac', { sub: 'пользователь-1 ' }) },
  ];

  function spaced(value: unknown): string {
    return `\n${JSON.stringify(value, null, '\t')}\r\n `;
  }
  function protoClaims(): string {
    return payloadText('hmac').replace('{', '{"__proto__":{"admin":true},"constructor":1,"toString":null,');
  }
}
