// RFC 8725 (JSON Web Token Best Current Practices) §3: a test for each practice. The table of hostile tokens has more
// cases.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseIssuer, type RawIssuer } from '../../../src/authn/issuer.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import { encode, encodeText, signSegments, signToken } from '../../support/sign-token.ts';
import { createTokenIssuers, pemOf } from '../../support/servers/token-issuers.ts';

const issuers = createTokenIssuers();
const { token, texts, signWith, headerText, payloadText, keys } = issuers;
let server: AuthnServer;

beforeAll(async () => {
  server = await startAuthnServer(issuersFrom(issuers.yaml));
});
afterAll(() => server.close());

async function refusedFor(hostile: string): Promise<unknown> {
  const response = (await server.authenticate(hostile)) as { reason?: string };
  return response.reason ?? 'accepted';
}

const problemsOf = (changes: Partial<RawIssuer>): number => {
  const parsed = parseIssuer({
    location: { issuer: 'i', audience: 'a', algorithms: 'l', key: 'k', userClaim: 'u' },
    issuer: 'https://issuer.example',
    audience: ['me'],
    key: {
      kind: 'secret',
      text: new Secret('a-secret-of-the-rfc8725-tests-that-is-long-enough-for-all-algorithms'),
      encoding: 'text',
    },
    clockToleranceSeconds: 0,
    allowMissingIssuer: false,
    allowMissingAudience: false,
    allowHttp: false,
    userClaim: 'sub',
    ...changes,
  });
  return 'problems' in parsed ? parsed.problems.length : 0;
};

describe('RFC 8725', () => {
  it('§3.1 performs algorithm verification: the caller of the library names the algorithms, each key has its own', async () => {
    expect(await refusedFor(signWith('HS256', pemOf(keys.rsa.publicKey), 'rsa'))).toBe('algorithm_refused');
    expect(await refusedFor(signWith('PS256', keys.rsa.privateKey, 'rsa'))).toBe('algorithm_refused');
    expect(await refusedFor(signToken('ES384', keys.ec384.privateKey, issuers.claims('set'), { kid: 'ec-521' }))).toBe(
      'algorithm_refused',
    );
    expect(await refusedFor(token('rsa'))).toBe('accepted');
  });

  it('§3.2 uses appropriate algorithms: "none" and weak ones are refused in settings and tokens', async () => {
    for (const name of ['none', 'HS1', 'RS1', 'ES256K', 'RSA1_5']) expect(problemsOf({ algorithms: [name] })).toBe(1);
    expect(await refusedFor(`${encode({ alg: 'none' })}.${encodeText(payloadText('hmac'))}.`)).toBe('token_malformed');
    expect(await refusedFor(`${encode({ alg: 'none' })}.${encodeText(payloadText('hmac'))}.AA`)).toBe(
      'algorithm_refused',
    );
  });

  it('§3.3 validates all cryptographic operations: a nested token is refused', async () => {
    expect(await refusedFor(texts('hmac', headerText('hmac', { cty: 'JWT' }), payloadText('hmac')))).toBe(
      'token_type_refused',
    );
    expect(await refusedFor(texts('hmac', headerText('hmac'), token('hmac')))).toBe('token_malformed');
    expect(await refusedFor(`${token('hmac')}.AA.AA`)).toBe('token_malformed');
  });

  it('§3.4 validates cryptographic inputs: a point that is not on its curve is refused', () => {
    const jwk = keys.ec.publicKey.export({ format: 'jwk' });
    const offCurve = JSON.stringify({ keys: [{ ...jwk, y: jwk.x }] });
    expect(problemsOf({ key: { kind: 'publicKey', text: offCurve } })).toBe(1);
    const otherCurve = JSON.stringify({ keys: [{ ...jwk, crv: 'P-384' }] });
    expect(problemsOf({ key: { kind: 'publicKey', text: otherCurve } })).toBe(1);
    expect(problemsOf({ key: { kind: 'publicKey', text: JSON.stringify({ keys: [jwk] }) } })).toBe(0);
  });

  it('§3.5 ensures that keys have enough entropy: short secrets and small RSA keys stop the start', () => {
    expect(problemsOf({ key: { kind: 'secret', text: new Secret('a password'), encoding: 'text' } })).toBe(1);
    const ofSize = (bytes: number) => 'a-secret-that-is-cut-to-the-size-that-is-asked-for'.slice(0, bytes);
    for (const [bytes, problems] of [
      [47, 1],
      [48, 0],
    ] as const) {
      const key = { kind: 'secret', text: new Secret(ofSize(bytes)), encoding: 'text' } as const;
      expect(problemsOf({ key, algorithms: ['HS384'] })).toBe(problems);
    }
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    expect(problemsOf({ key: { kind: 'publicKey', text: pemOf(small) } })).toBe(1);
  });

  it('§3.6 avoids compression: a header with zip is refused', async () => {
    expect(await refusedFor(token('rsa', {}, { zip: 'DEF' }))).toBe('token_header_refused');
  });

  it('§3.7 uses UTF-8: other encodings and invalid bytes are refused, in header and claims', async () => {
    const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
    expect(await refusedFor(texts('hmac', utf16(headerText('hmac')), payloadText('hmac')))).toBe('token_malformed');
    expect(await refusedFor(texts('hmac', headerText('hmac'), utf16(payloadText('hmac'))))).toBe('token_malformed');
    const latin1 = Buffer.from(payloadText('hmac', { sub: 'Zoë' }), 'latin1');
    expect(await refusedFor(texts('hmac', headerText('hmac'), latin1))).toBe('token_malformed');
  });

  it('§3.8 validates issuer and subject: the key belongs to the issuer, and the subject is not empty', async () => {
    expect(await refusedFor(token('pss', { iss: issuers.issuers.rsa.iss }))).toBe('algorithm_refused');
    expect(await refusedFor(signWith('RS256', keys.otherRsa.privateKey, 'rsa'))).toBe('signature_invalid');
    expect(await refusedFor(token('rsa', { iss: 'https://evil.example' }))).toBe('issuer_refused');
    expect(await refusedFor(token('rsa', { sub: ' ' }))).toBe('subject_refused');
    expect(await refusedFor(token('rsa', { sub: undefined }))).toBe('claim_missing');
  });

  it('§3.9 uses and validates audience: a token without one, or for another, is refused', async () => {
    expect(await refusedFor(token('rsa', { aud: undefined }))).toBe('claim_missing');
    expect(await refusedFor(token('rsa', { aud: ['someone-else'] }))).toBe('audience_refused');
  });

  it('§3.10 does not trust received claims: no kid, jku or x5u reaches a file or the network', async () => {
    for (const kid of ['../../etc/passwd', "' OR 1=1 --", 'http://127.0.0.1:9/']) {
      expect(await refusedFor(token('rsa', {}, { kid }))).toBe('key_unknown');
    }
    const header = { kid: 'rsa-1', jku: 'http://127.0.0.1:9/', x5u: 'http://127.0.0.1:9/' };
    expect(await refusedFor(signToken('RS256', keys.attacker.privateKey, issuers.claims('rsa'), header))).toBe(
      'signature_invalid',
    );
  });

  it('§3.11 uses explicit typing: a typ that is not an access token is refused, and one can be required', async () => {
    expect(await refusedFor(token('rsa', {}, { typ: 'logout+jwt' }))).toBe('token_type_refused');
    const strict = await startAuthnServer(
      issuersFrom(issuers.yaml.replace('algorithms: [RS256]', 'algorithms: [RS256]\n  typ: AT+jwt')),
    );
    const reasonOf = async (typ: unknown): Promise<unknown> =>
      ((await strict.authenticate(token('rsa', {}, { typ }))) as { reason?: string }).reason ?? 'accepted';
    expect(await reasonOf('at+jwt')).toBe('accepted');
    expect(await reasonOf('application/at+jwt')).toBe('accepted');
    expect(await reasonOf('JWT')).toBe('token_type_refused');
    expect(await reasonOf(undefined)).toBe('token_type_refused');
    await strict.close();
  });

  it('§3.12 uses mutually exclusive rules for different kinds of tokens: ID, logout and DPoP tokens are refused', async () => {
    for (const typ of ['id_token+jwt', 'logout+jwt', 'dpop+jwt', 'secevent+jwt', 'token-introspection+jwt']) {
      expect(await refusedFor(token('rsa', {}, { typ }))).toBe('token_type_refused');
    }
    // An ID token is for the client, not for this service.
    expect(await refusedFor(token('rsa', { aud: 'the-client', nonce: 'n' }))).toBe('audience_refused');
  });

  it('§2.6 accepts only one encoding of JSON: a duplicate member is refused', async () => {
    const twice = payloadText('hmac').replace('{', '{"sub":"admin",');
    expect(await refusedFor(texts('hmac', headerText('hmac'), twice))).toBe('token_malformed');
    const header = encodeText('{"alg":"HS256","alg":"HS256"}');
    expect(await refusedFor(signSegments('HS256', keys.secret, header, encodeText(payloadText('hmac'))))).toBe(
      'token_malformed',
    );
  });
});
