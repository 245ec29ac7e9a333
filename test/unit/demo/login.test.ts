// The demo's access tokens: a valid one, one that has expired, one whose claims were changed under its signature.
import { jwtVerify } from 'jose';
import { expect, it } from 'vitest';
import { createDemoLogin, demoUsers } from '../../../demo/login.ts';

const [ada] = demoUsers;
if (ada === undefined) throw new Error('the demo has users');

const now = Date.UTC(2026, 10, 23);
const login = createDemoLogin(() => now);
const verify = async (token: string): Promise<Readonly<Record<string, unknown>>> => {
  const { issuer, audience, secret } = login;
  const options = { issuer, audience, algorithms: ['HS256'], currentDate: new Date(now) };
  return (await jwtVerify(token, new TextEncoder().encode(secret), options)).payload;
};

it('signs in a user for eight hours with the claims of that user', async () => {
  expect(await verify(login.signIn(ada))).toEqual({
    iss: login.issuer,
    aud: login.audience,
    iat: now / 1000,
    exp: now / 1000 + 8 * 3600,
    ...ada.claims,
  });
});

it('creates a token that expired an hour ago and is valid otherwise', async () => {
  await expect(verify(login.signIn(ada, 'expired'))).rejects.toThrow('"exp" claim timestamp check failed');
});

it('creates a token with another tenant and the signature of the first token', async () => {
  const token = login.signIn(ada, 'tampered');
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  expect(claims).toMatchObject({ org_id: 'globex', role: 'admin' });
  await expect(verify(token)).rejects.toThrow('signature verification failed');
});

it('uses a new key at every start', () => {
  expect(createDemoLogin().secret).not.toBe(createDemoLogin().secret);
});
