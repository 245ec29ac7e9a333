// Hostile tokens, first group: `alg`, and keys used for what they are not (RFC 8725 §2.1, §3.1, §3.2).
import type { HostileToken } from '../hostile-tokens.ts';
import { encode, signSegments, signToken } from '../sign-token.ts';
import { pemOf, type TokenIssuers } from '../servers/token-issuers.ts';

export function hostileAlgorithms(issuers: TokenIssuers): readonly HostileToken[] {
  const { token, signWith, claims, payloadSegment, headerSegment, keys } = issuers;
  const unsigned = (alg: unknown, signature = ''): string =>
    `${encode({ alg, typ: 'JWT' })}.${payloadSegment('hmac')}${signature === '' ? '.' : `.${signature}`}`;
  const pem = pemOf(keys.rsa.publicKey);
  const publicTexts: readonly (readonly [string, string | Buffer])[] = [
    ['PEM', pem],
    ['PEM without its last newline', pem.trimEnd()],
    ['PEM with CRLF', pem.replaceAll('\n', '\r\n')],
    ['PEM with a newline before it', `\n${pem}`],
    ['PEM body in base64', pem.split('\n').slice(1, -2).join('')],
    ['DER', keys.rsa.publicKey.export({ type: 'spki', format: 'der' })],
    ['PKCS#1 PEM', keys.rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['JWK', JSON.stringify(keys.rsa.publicKey.export({ format: 'jwk' }))],
    ['the modulus', String(keys.rsa.publicKey.export({ format: 'jwk' }).n)],
  ];

  return [
    ...['none', 'None', 'NONE', 'nOnE', 'none ', ' none'].flatMap((alg): HostileToken[] => [
      { title: `alg "${alg}" without a signature`, token: unsigned(alg), reason: 'token_malformed' },
      { title: `alg "${alg}" with a signature`, token: unsigned(alg, 'AAAA'), reason: 'algorithm_refused' },
    ]),
    ...(
      [
        ['missing', undefined],
        ['null', null],
        ['a number', 256],
        ['true', true],
        ['a list', ['HS256']],
        ['an object', { HS256: true }],
        ['empty', ''],
        ['in lower case', 'hs256'],
        ['with a space before it', ' HS256'],
        ['with a space after it', 'HS256 '],
        ['with a NUL after it', 'HS256\0'],
        ['with a full-width letter', 'ＨS256'],
        ['HS1', 'HS1'],
        ['HS224', 'HS224'],
        ['HS256/64, the truncated one', 'HS256/64'],
        ['two names', 'HS256,none'],
        ['__proto__', '__proto__'],
        ['constructor', 'constructor'],
        ['toString', 'toString'],
        ['dir', 'dir'],
        ['A128KW', 'A128KW'],
        ['A256GCMKW', 'A256GCMKW'],
        ['PBES2-HS256+A128KW', 'PBES2-HS256+A128KW'],
        ['RSA-OAEP', 'RSA-OAEP'],
        ['ECDH-ES', 'ECDH-ES'],
      ] as const
    ).map(([title, alg]): HostileToken => ({
      title: `alg ${title}`,
      token: token('hmac', {}, { alg }),
      reason: 'algorithm_refused',
    })),
    ...['HS384', 'HS512'].map((alg): HostileToken => ({
      title: `${alg} with the right secret, if HS256 is configured`,
      token: signWith(alg, keys.secret, 'hmac'),
      reason: 'algorithm_refused',
    })),
    ...['RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg): HostileToken => ({
      title: `${alg} with the right RSA key, if RS256 is configured`,
      token: signWith(alg, keys.rsa.privateKey, 'rsa'),
      reason: 'algorithm_refused',
    })),
    ...['RS256', 'PS384'].map((alg): HostileToken => ({
      title: `${alg} with the right RSA key, if PS256 is configured`,
      token: signWith(alg, keys.otherRsa.privateKey, 'pss'),
      reason: 'algorithm_refused',
    })),
    ...publicTexts.flatMap(([title, text]): HostileToken[] => [
      {
        title: `HS256 with the public RSA key as ${title}`,
        token: signWith('HS256', text, 'rsa'),
        reason: 'algorithm_refused',
      },
      {
        title: `RS256 as alg, and an HMAC with the public RSA key as ${title}`,
        token: signSegments('HS256', text, headerSegment('rsa'), payloadSegment('rsa')),
        reason: 'signature_invalid',
      },
    ]),
    {
      title: 'HS256 with the public EC key as PEM',
      token: signWith('HS256', pemOf(keys.ec.publicKey), 'ec'),
      reason: 'algorithm_refused',
    },
    {
      title: 'HS256 with the raw 32 bytes of the public Ed25519 key',
      token: signWith('HS256', Buffer.from(String(keys.ed.publicKey.export({ format: 'jwk' }).x), 'base64url'), 'ed'),
      reason: 'algorithm_refused',
    },
    {
      title: 'RS256 for an issuer with an HMAC secret',
      token: signWith('RS256', keys.attacker.privateKey, 'hmac'),
      reason: 'algorithm_refused',
    },
    {
      title: 'ES256K with a secp256k1 key',
      token: signToken('ES256', keys.secp256k1.privateKey, claims('ec'), { alg: 'ES256K' }),
      reason: 'algorithm_refused',
    },
    {
      title: 'ES256 with a signature on secp256k1',
      token: signWith('ES256', keys.secp256k1.privateKey, 'ec'),
      reason: 'signature_invalid',
    },
    {
      title: 'ES384 for the P-256 key',
      token: signToken('ES384', keys.ec.privateKey, claims('ec')),
      reason: 'key_unknown',
    },
    {
      title: 'ES256 with a key of curve P-384',
      token: signToken('ES256', keys.ec384.privateKey, claims('set'), { kid: 'ec-384' }),
      reason: 'algorithm_refused',
    },
    {
      title: 'ES384 with the kid of the P-521 key',
      token: signToken('ES384', keys.ec521.privateKey, claims('set'), { kid: 'ec-521' }),
      reason: 'algorithm_refused',
    },
    {
      title: 'EdDSA with an Ed448 key',
      token: signWith('EdDSA', keys.ed448.privateKey, 'ed'),
      reason: 'signature_invalid',
    },
    { title: 'alg Ed448', token: signWith('Ed448', keys.ed448.privateKey, 'ed'), reason: 'algorithm_refused' },
    {
      title: 'EdDSA with the kid of an EC key',
      token: signToken('EdDSA', keys.ed.privateKey, claims('set'), { kid: 'ec-384' }),
      reason: 'algorithm_refused',
    },
    {
      title: 'ES256 with the kid of an RSA key',
      token: signToken('ES256', keys.ec.privateKey, claims('rsa'), { kid: 'rsa-1' }),
      reason: 'algorithm_refused',
    },
  ];
}
