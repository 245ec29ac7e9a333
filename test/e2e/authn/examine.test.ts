// Checks one token, and every issuer, with the real checks outside the service.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examineIssuers, examineToken } from '../../../src/authn/examine.ts';
import { systemClock } from '../../../src/clock.ts';
import { prepareVerifiers } from '../../../src/http/jwt.ts';
import { directly, issuersFrom } from '../../support/servers/authn-server.ts';
import { json, startKeyServer, status, type KeyServer } from '../../support/servers/key-server.ts';
import { signToken } from '../../support/sign-token.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const secret = 'a-secret-of-the-examination-tests-of-some-length';
const seconds = Math.floor(Date.now() / 1000);
let keyServer: KeyServer;

beforeAll(async () => {
  keyServer = await startKeyServer();
  keyServer.on('/jwks', json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }, { kty: 'oct' }] }));
  keyServer.on('/gone', status(404));
  keyServer.on('/realms/acme/.well-known/openid-configuration', json({ issuer: `${keyServer.url}/realms/acme/` }));
});
afterAll(() => keyServer.close());

const options = () => ({
  issuers: issuersFrom(`
- { issuer: 'https://fetched.example', audience: me, jwksUrl: '${keyServer.url}/jwks' }
- { issuer: 'https://gone.example', audience: me, jwksUrl: '${keyServer.url}/gone' }
- { issuer: '${keyServer.url}/realms/acme', audience: me }
- { issuer: 'https://hmac.example', audience: me, secret: ${secret} }
`),
  prepareVerifiers,
  createAgent: directly.createAgent,
  clock: systemClock,
});
const token = (changes: object = {}, header: object = { kid: 'a' }, key = privateKey): string =>
  signToken(
    'ES256',
    key,
    { iss: 'https://fetched.example', aud: 'me', sub: 'u', exp: seconds + 60, ...changes },
    header,
  );

describe('an examination', () => {
  it('reports the response of every issuer, with both names if they differ', async () => {
    expect(await examineIssuers(options())).toMatchObject([
      { kind: 'fetched', iss: 'https://fetched.example', keys: 1, leftOut: [{ which: 'key 2', isBad: true }] },
      { kind: 'failed', iss: 'https://gone.example', failure: 'status', detail: { httpStatus: 404 } },
      {
        kind: 'failed',
        failure: 'issuer_mismatch',
        detail: { received: `${keyServer.url}/realms/acme/`, expected: `${keyServer.url}/realms/acme` },
      },
    ]);
  });

  it('returns the principal of a valid token', async () => {
    const { result, keySets } = await examineToken(options(), token());
    expect(result).toMatchObject({ iss: 'https://fetched.example', sub: 'u' });
    expect(keySets).toHaveLength(3);
  });

  it('reports the received and the expected value, whether the token was signed, and what to do', async () => {
    const foreign = await examineToken(options(), token({ aud: ['x', 'y'] }));
    expect(foreign).toMatchObject({
      result: { reason: 'audience_refused', claim: 'aud', received: ['x', 'y'], expected: ['me'], isSigned: true },
      advice: { hint: expect.stringContaining('Audience mapper') as string },
    });
    const forged = await examineToken(
      options(),
      token({ aud: 'x' }, { kid: 'a' }, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    );
    expect(forged.result).toMatchObject({ reason: 'audience_refused', isSigned: false });
    const unknown = await examineToken(options(), token({}, { kid: 'b' }));
    expect(unknown.result).toMatchObject({ reason: 'key_unknown', received: 'b', expected: ['a'] });
    const other = await examineToken(options(), token({ iss: 'https://other.example' }));
    expect(other.result).toMatchObject({ reason: 'issuer_refused', received: 'https://other.example' });
    const opaque = await examineToken(options(), 'an-opaque-token');
    expect(opaque.result).toMatchObject({ reason: 'token_malformed', received: '1 segments' });
  });
});
