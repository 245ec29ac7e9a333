// The sample app's identity provider: signs access tokens (RFC 7519, ES256) with a key made at start, and publishes the
// public half as a key set (RFC 7517).
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';

export interface Issuer {
  /** A token with these claims, good for ten minutes from now. */
  readonly issue: (claims: Readonly<Record<string, unknown>>) => string;
  /** The JWKS document. */
  readonly keySet: object;
}

const lifetimeSeconds = 600;
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function createIssuer(issuer: string, audience: string): Issuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();

  return {
    keySet: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] },

    issue(claims) {
      const iat = Math.floor(Date.now() / 1000);
      const payload = { ...claims, iss: issuer, aud: audience, iat, exp: iat + lifetimeSeconds };
      const input = `${encode({ alg: 'ES256', typ: 'JWT', kid })}.${encode(payload)}`;
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
  };
}
