// The sample app's identity provider: signs access tokens (RFC 7519, ES256) with a key created at start, and publishes
// the public key as a key set (RFC 7517). It requires no password.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import type { DemoLogin } from '../../demo/login.ts';

export interface SampleLogin extends Pick<DemoLogin, 'signIn'> {
  /** The JWKS document. */
  readonly keySet: object;
}

const lifetimeSeconds = 600;
const shortSeconds = 40;
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function createSampleLogin(issuer: string, audience: string): SampleLogin {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();

  function signToken(payload: object, shown: object): string {
    const header = encode({ alg: 'ES256', typ: 'JWT', kid });
    const input = Buffer.from(`${header}.${encode(payload)}`);
    const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${header}.${encode(shown)}.${signature.toString('base64url')}`;
  }

  return {
    keySet: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] },

    signIn({ claims }, kind = 'valid') {
      const now = Math.floor(Date.now() / 1000);
      const iat = kind === 'expired' ? now - 2 * lifetimeSeconds : now;
      const exp = iat + (kind === 'short' ? shortSeconds : lifetimeSeconds);
      const payload = { ...claims, iss: issuer, aud: audience, iat, exp };
      const forged = { role: 'admin', org_id: claims['org_id'] === 'acme' ? 'globex' : 'acme' };
      return signToken(payload, kind === 'tampered' ? { ...payload, ...forged } : payload);
    },
  };
}
