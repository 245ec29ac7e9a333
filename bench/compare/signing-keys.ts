// The keys of the comparison and the tokens that they sign.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createSigner } from 'fast-jwt';

export interface SigningKeys {
  readonly publicPem: string;
  readonly privatePem: string;
  readonly secret: string;
}

export function createSigningKeys(): SigningKeys {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    secret: randomBytes(48).toString('base64url'),
  };
}

/** Tokens of `user-0`, `user-1` and so on, about as large as those of a usual identity provider. */
export function signTokens(
  keys: SigningKeys,
  algorithm: 'RS256' | 'HS256',
  users: number,
  claims: Readonly<Record<string, unknown>> = {},
): readonly string[] {
  const now = Math.floor(Date.now() / 1000);
  const sign = createSigner({ key: algorithm === 'RS256' ? keys.privatePem : keys.secret, algorithm });
  return Array.from({ length: users }, (_, user) =>
    sign({
      iss: 'https://bench.example',
      aud: 'bench',
      sub: `user-${user}`,
      org_id: 'acme',
      name: 'Ada Lovelace',
      email: `user-${user}@acme.example`,
      email_verified: true,
      scope: 'openid profile email',
      iat: now,
      exp: now + 7_200,
      ...claims,
    }),
  );
}
