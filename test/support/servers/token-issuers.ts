// Six issuers with keys of every kind, new in each run, as one issuers file; and their tokens.
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { encode, encodeText, signSegments, signToken, type SigningKey } from '../sign-token.ts';

export const audience = 'guest-token-proxy';

interface TestIssuer {
  readonly iss: string;
  readonly alg: string;
  readonly key: SigningKey;
  readonly kid?: string;
}

export const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

const indent = (text: string): string =>
  text
    .trim()
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');

export function createTokenIssuers(now: number = Math.floor(Date.now() / 1000)) {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ec384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const ec521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
  const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const ed = generateKeyPairSync('ed25519');
  const ed448 = generateKeyPairSync('ed448');
  const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = randomBytes(48).toString('base64url');
  const oldSecret = randomBytes(48).toString('base64url');

  const issuers = {
    hmac: { iss: 'https://hmac.example', alg: 'HS256', key: secret },
    rsa: { iss: 'https://rsa.example', alg: 'RS256', key: rsa.privateKey, kid: 'rsa-1' },
    pss: { iss: 'https://pss.example', alg: 'PS256', key: otherRsa.privateKey },
    ec: { iss: 'https://ec.example', alg: 'ES256', key: ec.privateKey },
    ed: { iss: 'https://ed.example', alg: 'EdDSA', key: ed.privateKey },
    set: { iss: 'https://set.example/', alg: 'ES384', key: ec384.privateKey, kid: 'ec-384' },
  } as const satisfies Record<string, TestIssuer>;
  type IssuerName = keyof typeof issuers;

  const jwks = {
    keys: [
      { ...ec384.publicKey.export({ format: 'jwk' }), kid: 'ec-384', use: 'sig', alg: 'ES384' },
      { ...ec521.publicKey.export({ format: 'jwk' }), kid: 'ec-521' },
      { ...ed.publicKey.export({ format: 'jwk' }), kid: 'ed', key_ops: ['verify'] },
    ],
  };
  const rsaSet = { keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa-1', use: 'sig' }] };

  const yaml = `
- issuer: ${issuers.hmac.iss}
  audience: ${audience}
  secret: |
      ${secret}
      ${oldSecret}
- issuer: ${issuers.rsa.iss}
  audience: [${audience}, another-audience]
  algorithms: [RS256]
  publicKey: '${JSON.stringify(rsaSet)}'
- issuer: ${issuers.pss.iss}
  audience: ${audience}
  algorithms: [PS256]
  publicKey: |
${indent(pemOf(otherRsa.publicKey))}
- issuer: ${issuers.ec.iss}
  audience: ${audience}
  publicKey: |
${indent(pemOf(ec.publicKey))}
- issuer: ${issuers.ed.iss}
  audience: ${audience}
  publicKey: |
${indent(pemOf(ed.publicKey))}
- issuer: ${issuers.set.iss}
  audience: ${audience}
  publicKey: '${JSON.stringify(jwks)}'
`;

  const claims = (name: IssuerName, changes: Record<string, unknown> = {}): Record<string, unknown> => ({
    iss: issuers[name].iss,
    aud: audience,
    sub: 'user-1',
    iat: now,
    exp: now + 600,
    org_id: 'acme',
    ...changes,
  });
  const header = (name: IssuerName): Record<string, unknown> => {
    const issuer: TestIssuer = issuers[name];
    return { typ: 'JWT', kid: issuer.kid };
  };

  return {
    yaml,
    issuers,
    now,
    claims,
    /** Signed with the issuer's key, with changed claims (undefined removes one) and header. */
    token: (name: IssuerName, changes: Record<string, unknown> = {}, headerChanges: object = {}): string =>
      signToken(issuers[name].alg, issuers[name].key, claims(name, changes), { ...header(name), ...headerChanges }),
    /** Signed with the issuer's key, whatever the two texts are. */
    texts: (name: IssuerName, headerText: string | Buffer, payloadText: string | Buffer): string =>
      signSegments(issuers[name].alg, issuers[name].key, encodeText(headerText), encodeText(payloadText)),
    /** Signed with the issuer's key, whatever the two segments are. */
    segments: (name: IssuerName, headerSegment: string, payloadSegment: string): string =>
      signSegments(issuers[name].alg, issuers[name].key, headerSegment, payloadSegment),
    /** The issuer's claims under any algorithm and key. */
    signWith: (alg: string, key: SigningKey, name: IssuerName, headerChanges: object = {}): string =>
      signToken(alg, key, claims(name), { ...header(name), ...headerChanges }),
    headerText: (name: IssuerName, changes: object = {}): string =>
      JSON.stringify({ alg: issuers[name].alg, ...header(name), ...changes }),
    headerSegment: (name: IssuerName, changes: object = {}): string =>
      encode({ alg: issuers[name].alg, ...header(name), ...changes }),
    payloadText: (name: IssuerName, changes: Record<string, unknown> = {}): string =>
      JSON.stringify(claims(name, changes)),
    payloadSegment: (name: IssuerName, changes: Record<string, unknown> = {}): string => encode(claims(name, changes)),
    keys: { rsa, otherRsa, ec, ec384, ec521, secp256k1, ed, ed448, attacker, secret, oldSecret },
  };
}

export type TokenIssuers = ReturnType<typeof createTokenIssuers>;
