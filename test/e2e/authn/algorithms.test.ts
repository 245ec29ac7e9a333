// Each algorithm: accepted if it is configured, refused if only others are.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { algorithms, isHmac, type Algorithm } from '../../../src/authn/keys/algorithms.ts';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import { signToken, type SigningKey } from '../../support/sign-token.ts';
import { pemOf } from '../../support/servers/token-issuers.ts';

const secret = 'a secret of more than 64 bytes as HS512 needs it and as long as this sentence is';
const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });
const curves: Readonly<Record<string, ReturnType<typeof generateKeyPairSync>>> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const iss = 'https://issuer.example';

const open: AuthnServer[] = [];
afterAll(async () => {
  for (const server of open) await server.close();
});

/** The key that signs, and the line of the issuers file that verifies. */
function keyFor(algorithm: Algorithm): { signs: SigningKey; line: string } {
  if (isHmac(algorithm)) return { signs: secret, line: `secret: ${JSON.stringify(secret)}` };
  const pair = curves[algorithm] ?? rsa;
  return { signs: pair.privateKey, line: `publicKey: ${JSON.stringify(pemOf(pair.publicKey))}` };
}

async function serverFor(algorithm: Algorithm, configured: readonly Algorithm[]): Promise<AuthnServer> {
  const { line } = keyFor(algorithm);
  const yaml = `- issuer: ${iss}\n  audience: me\n  algorithms: [${configured.join(', ')}]\n  ${line}\n`;
  const server = await startAuthnServer(issuersFrom(yaml));
  open.push(server);
  return server;
}

const tokenBy = (algorithm: Algorithm): string =>
  signToken(algorithm, keyFor(algorithm).signs, { iss, aud: 'me', sub: 'u', exp: Math.floor(Date.now() / 1000) + 600 });

describe('the algorithm', () => {
  it.each(algorithms)('%s is accepted if it is configured', async (algorithm) => {
    const server = await serverFor(algorithm, [algorithm]);
    expect((await server.send(tokenBy(algorithm))).status).toBe(200);
  });

  const families: readonly (readonly Algorithm[])[] = [
    ['HS256', 'HS384', 'HS512'],
    ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ];
  it.each(families.flatMap((family) => family.map((algorithm) => [algorithm, family] as const)))(
    '%s is refused if only other algorithms of its key are configured',
    async (algorithm, family) => {
      const server = await serverFor(
        algorithm,
        family.filter((other) => other !== algorithm),
      );
      expect((await server.send(tokenBy(algorithm))).status).toBe(401);
      expect(server.refusals.map(({ reason }) => reason)).toEqual(['algorithm_refused']);
    },
  );
});
