// Hostile tokens, third group: the registered claims (RFC 7519 §4.1, RFC 8725 §3.8, §3.9).
import type { AuthnReason } from '../../../src/refusal-reasons.ts';
import type { HostileToken } from '../hostile-tokens.ts';
import type { TokenIssuers } from '../servers/token-issuers.ts';

const show = (value: unknown): string => (JSON.stringify(value) ?? 'missing').replace(/[^\x20-\x7E]/g, escapeCharacter);
const escapeCharacter = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

export function hostileClaims(issuers: TokenIssuers): readonly HostileToken[] {
  const { token, texts, headerText, payloadText, signWith, keys, now, issuers: named } = issuers;
  const { iss } = named.rsa;

  const claim = (name: string, values: readonly unknown[], reason: AuthnReason): HostileToken[] =>
    values.map((value) => ({ title: `${name} ${show(value)}`, token: token('rsa', { [name]: value }), reason }));
  /** The number as JSON text, for forms that JSON.stringify does not write. */
  const number = (name: string, text: string, reason: AuthnReason): HostileToken => ({
    title: `${name} written ${text}`,
    token: texts('hmac', headerText('hmac'), payloadText('hmac', { [name]: 4711 }).replace('4711', text)),
    reason,
  });

  return [
    ...claim('iss', [undefined], 'claim_missing'),
    ...claim('iss', [null, '', 0, true, [iss], { iss }, [[iss]]], 'issuer_refused'),
    ...claim(
      'iss',
      [`${iss}/`, ` ${iss}`, `${iss} `, `${iss}\0`, iss.toUpperCase(), iss.slice(0, -1), `${iss}.attacker.invalid`],
      'issuer_refused',
    ),
    ...claim('iss', ['http://rsa.example', 'https://rsa.example:443', 'https://rsa.example?', '*'], 'issuer_refused'),
    ...claim('iss', ['__proto__', 'constructor', 'https://unknown.example'], 'issuer_refused'),
    { title: 'an iss that does not own the key', token: token('pss', { iss }), reason: 'algorithm_refused' },
    {
      title: 'an iss with the same algorithm that does not own the key',
      token: signWith('RS256', keys.otherRsa.privateKey, 'rsa'),
      reason: 'signature_invalid',
    },
    {
      title: 'an iss with another key of the same kid',
      token: token('set', { iss }, { alg: 'RS256' }),
      reason: 'key_unknown',
    },
    { title: 'a list of two issuers', token: token('rsa', { iss: [iss, named.ec.iss] }), reason: 'issuer_refused' },

    ...claim('aud', [undefined], 'claim_missing'),
    ...claim('aud', [null, 0, true, {}, { 0: 'guest-token-proxy' }, [null], [1]], 'claim_invalid'),
    ...claim('aud', [['guest-token-proxy', 5], ['guest-token-proxy', null], [['guest-token-proxy']]], 'claim_invalid'),
    ...claim('aud', ['', [], [''], 'someone-else', ['someone-else'], '*', '.*'], 'audience_refused'),
    ...claim(
      'aud',
      [
        'Guest-Token-Proxy',
        'guest-token-proxy ',
        ' guest-token-proxy',
        'guest-token-prox',
        'guest-token-proxy2',
        'guest-token-proxy\0',
        'guest-token-proxy,another-audience',
        'guest-token-proxy another-audience',
      ],
      'audience_refused',
    ),
    {
      title: "aud of another issuer's service",
      token: token('hmac', { aud: 'another-audience' }),
      reason: 'audience_refused',
    },

    ...claim('exp', [undefined], 'claim_missing'),
    ...claim(
      'exp',
      [null, '', 'soon', true, false, [now + 600], {}, String(now + 600), -1, 1e300, -1e300],
      'claim_invalid',
    ),
    ...claim('exp', [253_402_300_800, Number.MAX_SAFE_INTEGER], 'claim_invalid'),
    number('exp', '1e999', 'token_malformed'),
    number('exp', '-1e999', 'token_malformed'),
    number('exp', 'NaN', 'token_malformed'),
    number('exp', 'Infinity', 'token_malformed'),
    number('exp', '0x7fffffff', 'token_malformed'),
    number('exp', '04711', 'token_malformed'),
    {
      title: 'an exp long ago',
      token: token('rsa', { iat: now - 7200, exp: now - 3600 }),
      reason: 'token_expired',
      code: 'TOKEN_EXPIRED',
    },
    {
      title: 'an exp longer ago than the tolerance',
      token: token('hmac', { exp: now - 35 }),
      reason: 'token_expired',
      code: 'TOKEN_EXPIRED',
    },
    { title: 'exp 0', token: token('ed', { iat: 0, exp: 0 }), reason: 'token_expired', code: 'TOKEN_EXPIRED' },
    {
      title: 'an exp a fraction of a second after the epoch',
      token: token('ec', { iat: 0, exp: 1e-7 }),
      reason: 'token_expired',
      code: 'TOKEN_EXPIRED',
    },
    {
      title: 'expired and for another audience',
      token: token('rsa', { exp: now - 3600, aud: 'x' }),
      reason: 'audience_refused',
    },
    {
      title: 'expired and not yet issued',
      token: token('rsa', { exp: now - 3600, iat: now + 3600 }),
      reason: 'token_issued_in_future',
    },

    ...claim('nbf', [null, '', String(now), true, [now], {}, -1, 1e300, -1e300], 'claim_invalid'),
    ...claim('nbf', [now + 3600, now + 120], 'token_not_yet_valid'),
    number('nbf', '1e999', 'token_malformed'),
    ...claim('iat', [null, '', String(now), true, [now], {}, -1, 1e300], 'claim_invalid'),
    ...claim('iat', [now + 3600, now + 120], 'token_issued_in_future'),
    number('iat', '1e999', 'token_malformed'),

    ...claim('sub', [undefined], 'claim_missing'),
    ...claim('sub', [null, 0.5, 2 ** 53, true, ['user-1'], {}, { toString: 'user-1' }], 'subject_refused'),
    ...claim('sub', ['', ' ', '\t\n', '\u00A0', '\u3000', '\u200B', '\uFEFF', '\0', '\u2028'], 'subject_refused'),
  ];
}
