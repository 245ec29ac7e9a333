// SECURITY.md's requirements 1 to 13, on tokens and identity, each by its number. Tests of the whole service check that
// nothing reaches the upstream, and the audit line.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Algorithm } from '../../../src/authn/keys/algorithms.ts';
import { parseIssuer, type RawKeySource } from '../../../src/authn/issuer.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import { json, startKeyServer } from '../../support/servers/key-server.ts';
import { signToken } from '../../support/sign-token.ts';
import { createTokenIssuers, pemOf } from '../../support/servers/token-issuers.ts';

const issuers = createTokenIssuers();
const { token, texts, signWith, headerText, payloadText, keys, now } = issuers;
let server: AuthnServer;

beforeAll(async () => {
  server = await startAuthnServer(issuersFrom(issuers.yaml), { cookieName: 'session' });
});
afterAll(() => server.close());

const longSecret = 'a-secret-of-the-security-tests-that-is-long-enough-for-every-algorithm';
const statusOf = async (hostile: string): Promise<number> => (await server.send(hostile)).status;

function startsWith(key: RawKeySource, algorithms?: readonly (Algorithm | 'none')[]): boolean {
  const parsed = parseIssuer({
    location: { issuer: 'i', audience: 'a', algorithms: 'l', key: 'k', userClaim: 'u' },
    issuer: 'https://issuer.example',
    audience: ['me'],
    key,
    algorithms,
    clockToleranceSeconds: 0,
    allowMissingIssuer: false,
    allowMissingAudience: false,
    allowHttp: false,
    userClaim: 'sub',
  });
  return 'issuer' in parsed;
}
const secret = (text: string): RawKeySource => ({ kind: 'secret', text: new Secret(text), encoding: 'text' });
const publicKey = (text: string): RawKeySource => ({ kind: 'publicKey', text });

/** Sends a request as bytes, in a form that no HTTP client sends. Returns the status code. */
function sendLines(lines: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname, () =>
      socket.end(
        ['POST /guest-token HTTP/1.1', `host: ${hostname}`, 'connection: close', ...lines, '', ''].join('\r\n'),
      ),
    );
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('end', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])));
    socket.on('error', reject);
  });
}

describe('security requirement', () => {
  it('1: an alg that is not configured exactly is 401; none and mixtures cannot be configured', async () => {
    for (const alg of ['hs256', 'HS256 ', 'none', 'None', 'HS384', 'RS256']) {
      expect(await statusOf(token('hmac', {}, { alg }))).toBe(401);
    }
    expect(startsWith(secret(longSecret), ['none'])).toBe(false);
    expect(startsWith(secret(longSecret), ['HS256', 'RS256'])).toBe(false);
    expect(startsWith(secret(longSecret), ['HS256', 'HS512'])).toBe(true);
  });

  it('2: a key verifies only the algorithms of its type and curve', async () => {
    expect(await statusOf(signWith('PS256', keys.rsa.privateKey, 'rsa'))).toBe(401);
    expect(await statusOf(signWith('ES256', keys.secp256k1.privateKey, 'ec'))).toBe(401);
    expect(await statusOf(signToken('ES256', keys.ec384.privateKey, issuers.claims('set'), { kid: 'ec-384' }))).toBe(
      401,
    );
    expect(startsWith(publicKey(pemOf(keys.secp256k1.publicKey)))).toBe(false);
    expect(startsWith(publicKey(pemOf(keys.ec384.publicKey)), ['ES256'])).toBe(false);
  });

  it('3: public-key material as HMAC secret, and weak keys, stop the start', () => {
    const { publicKey: rsa } = keys.rsa;
    for (const text of [
      pemOf(rsa),
      ` my key\n${pemOf(rsa)}`,
      JSON.stringify(rsa.export({ format: 'jwk' })),
      JSON.stringify({ keys: [keys.ec.publicKey.export({ format: 'jwk' })] }),
      rsa.export({ type: 'spki', format: 'der' }).toString('base64'),
      keys.ed.publicKey.export({ type: 'spki', format: 'der' }).toString('base64url'),
    ]) {
      expect(startsWith(secret(text))).toBe(false);
    }
    expect([31, 32].map((bytes) => startsWith(secret(longSecret.slice(0, bytes)), ['HS256']))).toEqual([false, true]);
    expect([47, 48].map((bytes) => startsWith(secret(longSecret.slice(0, bytes)), ['HS384']))).toEqual([false, true]);
    expect([63, 64].map((bytes) => startsWith(secret(longSecret.slice(0, bytes)), ['HS512']))).toEqual([false, true]);
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    expect(startsWith(publicKey(pemOf(small)))).toBe(false);
  });

  it('4: nothing in a token causes a connection', async () => {
    const fetched: string[] = [];
    const trap = createServer((request, response) => {
      fetched.push(request.url ?? '');
      response.end(JSON.stringify({ keys: [{ ...keys.attacker.publicKey.export({ format: 'jwk' }), kid: 'evil' }] }));
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    const address = trap.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const jwk = keys.attacker.publicKey.export({ format: 'jwk' });
    for (const header of [{ jku: url }, { x5u: url }, { kid: url }, { jwk }, { x5c: [url] }, { iss: url }]) {
      const forged = signToken('RS256', keys.attacker.privateKey, issuers.claims('rsa'), { kid: 'evil', ...header });
      expect(await statusOf(forged)).toBe(401);
    }
    expect(await statusOf(signToken('RS256', keys.attacker.privateKey, { ...issuers.claims('rsa'), iss: url }))).toBe(
      401,
    );
    expect(fetched).toEqual([]);
    await new Promise((resolve) => trap.close(resolve));
  });

  it('5: kid selects among loaded keys by own property, and unknown ones cause few fetches', async () => {
    const keyServer = await startKeyServer();
    const iss = 'https://fetched.example';
    keyServer.on('/jwks', json({ keys: [{ ...keys.ec.publicKey.export({ format: 'jwk' }), kid: 'a' }] }));
    const fetching = await startAuthnServer(
      issuersFrom(`- { issuer: '${iss}', audience: me, jwksUrl: '${keyServer.url}/jwks' }`),
    );
    fetching.authenticator.start();
    await vi.waitFor(() => expect(fetching.authenticator.ready()).toBe(true), { timeout: 15_000 });
    const claims = { iss, aud: 'me', sub: 'u', exp: now + 600 };
    const withKid = (kid: unknown): string => signToken('ES256', keys.ec.privateKey, claims, { kid });
    for (const kid of [0, null, ['a'], '__proto__', 'constructor', 'b']) {
      expect((await fetching.send(withKid(kid))).status).toBe(401);
    }
    for (const kid of ['', 'A', 'toString']) expect((await fetching.send(withKid(kid))).status).toBe(503);
    expect((await fetching.send(withKid('a'))).status).toBe(200);
    expect(keyServer.requests).toHaveLength(4);
    await fetching.close();
    await keyServer.close();

    const jwk = keys.ec.publicKey.export({ format: 'jwk' });
    const set = (...entries: unknown[]): RawKeySource => publicKey(JSON.stringify({ keys: entries }));
    expect(startsWith(set(jwk))).toBe(true);
    expect(startsWith(set(jwk, { kty: 'oct', k: 'AAAA' }))).toBe(false);
    expect(startsWith(set(keys.ec.privateKey.export({ format: 'jwk' })))).toBe(false);
    expect(startsWith(set({ ...jwk, kid: 'a' }, { ...jwk, kid: 'a' }))).toBe(true);
    expect(startsWith(set())).toBe(false);
  });

  it('6: crit, b64 and zip are refused with any value, and typ is an access token or a plain JWT', async () => {
    for (const value of [null, false, 0, '', [], ['exp']]) {
      expect(await statusOf(token('rsa', {}, { crit: value }))).toBe(401);
    }
    expect(await statusOf(token('rsa', {}, { b64: true }))).toBe(401);
    expect(await statusOf(token('rsa', {}, { zip: 'DEF' }))).toBe(401);
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/JWT']) {
      expect(await statusOf(token('rsa', {}, { typ }))).toBe(200);
    }
    for (const typ of ['id+jwt', '', null, 1]) expect(await statusOf(token('rsa', {}, { typ }))).toBe(401);
  });

  it('7: only the compact form is accepted, up to 16 KiB', async () => {
    const good = token('hmac');
    for (const hostile of [`${good}.`, `${good}=`, good.replace('.', '../..'), good.slice(0, good.lastIndexOf('.'))]) {
      expect(await statusOf(hostile)).toBe(401);
    }
    const ofSize = (bytes: number): string => {
      const plain = token('hmac', { x: '' }).length;
      for (let filler = Math.floor(((bytes - plain) * 3) / 4) - 4; ; filler += 1) {
        const made = token('hmac', { x: 'a'.repeat(filler) });
        if (made.length >= bytes) return made;
      }
    };
    // Four characters encode three bytes, so one length in four is impossible; 16384 or the one below it is possible.
    const largest = ofSize(16_383);
    expect(largest.length).toBeLessThanOrEqual(16_384);
    expect(await statusOf(largest)).toBe(200);
    expect(await statusOf(ofSize(16_385))).toBe(431);
    for (const text of [
      '[]',
      '""',
      '1',
      'null',
      `\uFEFF${payloadText('hmac')}`,
      payloadText('hmac').replace('{', '{"sub":"x",'),
    ]) {
      expect(await statusOf(texts('hmac', headerText('hmac'), text))).toBe(401);
    }
  });

  it('8: times are numbers, fractions allowed, and exp is checked each time', async () => {
    for (const claim of ['exp', 'nbf', 'iat']) {
      for (const value of [1e300, -1e300, 'soon', null, [], {}, true]) {
        expect(await statusOf(token('hmac', { [claim]: value }))).toBe(401);
      }
      const text = payloadText('hmac', { [claim]: 4711 }).replace('4711', '1e999');
      expect(await statusOf(texts('hmac', headerText('hmac'), text))).toBe(401);
    }
    expect(await statusOf(token('hmac', { exp: undefined }))).toBe(401);
    expect(await statusOf(token('hmac', { iat: now + 120 }))).toBe(401);
    expect(await statusOf(token('hmac', { exp: now + 600.5, nbf: now - 0.5, iat: now - 0.25 }))).toBe(200);
    expect(server.bugs).toEqual([]);
  });

  it('9: iss is exactly one of ours, aud contains exactly one of ours, and neither may be missing', async () => {
    const { iss } = issuers.issuers.rsa;
    for (const value of [undefined, null, [iss], `${iss}/`, iss.toUpperCase(), '']) {
      expect(await statusOf(token('rsa', { iss: value }))).toBe(401);
    }
    for (const value of [undefined, null, [], '', {}, 'x', ['x'], ['guest-token-proxy', 1], 'Guest-Token-Proxy']) {
      expect(await statusOf(token('rsa', { aud: value }))).toBe(401);
    }
    expect(await statusOf(token('rsa', { aud: ['x', 'guest-token-proxy'] }))).toBe(200);
  });

  it('10: a refusal is 401 with a challenge, without further details', async () => {
    for (const hostile of [
      token('rsa', { nbf: now + 999 }),
      token('rsa', { exp: 'x' }),
      token('rsa', {}, { crit: ['x'] }),
    ]) {
      const { status, headers, body } = await server.send(hostile);
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      expect(body).toEqual({ error: { code: 'INVALID_TOKEN' } });
    }
    expect(server.bugs).toEqual([]);
  });

  it('11: the subject is a visible string or an integer, passed on unchanged, and bad UTF-8 merges no users', async () => {
    for (const sub of ['', ' ', '\t', '\u00A0', 0.5, null, ['u'], { u: 1 }]) {
      expect(await statusOf(token('rsa', { sub }))).toBe(401);
    }
    for (const sub of [17, '17', ' padded ', 'Straße', 'STRASSE', 'e\u0301', '\u00e9']) {
      expect(await server.send(token('rsa', { sub }))).toMatchObject({ status: 200, body: { sub, claims: { sub } } });
    }
    const [before, after] = payloadText('hmac')
      .split('user-1')
      .map((part) => Buffer.from(part));
    for (const byte of [0x80, 0xff]) {
      const payload = Buffer.concat([before ?? Buffer.alloc(0), Buffer.from([byte]), after ?? Buffer.alloc(0)]);
      expect(await statusOf(texts('hmac', headerText('hmac'), payload))).toBe(401);
    }
    expect(await statusOf(texts('hmac', headerText('hmac'), payloadText('hmac').replace('user-1', '\\ud800')))).toBe(
      401,
    );
  });

  it('12: claims such as __proto__ and constructor have no effect', async () => {
    const proto = (name: string): string =>
      texts('hmac', headerText('hmac'), payloadText('hmac').replace('{', `{"${name}":{"sub":"admin","iss":"x"},`));
    for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
      expect(await server.send(proto(name))).toMatchObject({ status: 200, body: { sub: 'user-1' } });
    }
    expect(({} as Record<string, unknown>)['sub']).toBeUndefined();
    const inherited = `{"__proto__":${payloadText('hmac')}}`;
    expect(await statusOf(texts('hmac', headerText('hmac'), inherited))).toBe(401);
  });

  it('13: only one Authorization header is accepted: several lines, which Node joins or drops, are refused', async () => {
    const [one, two] = [token('rsa'), token('hmac')];
    expect(await sendLines([`Authorization: Bearer ${one}`])).toBe(200);
    expect(await sendLines([`Authorization: Bearer ${one}`, `Authorization: Bearer ${two}`])).toBe(400);
    expect(await sendLines([`authorization: Bearer ${one}`, `AUTHORIZATION: Bearer ${one}`])).toBe(400);
    expect(await sendLines([`Authorization: Bearer ${one}`, 'Authorization:'])).toBe(400);
    expect(await sendLines([`Authorization: Bearer ${one}`, `Cookie: session=${one}`])).toBe(400);
    expect(await sendLines([`X-Authorization: Bearer ${one}`])).toBe(401);
    expect(await sendLines([`Authorization: Bearer ${one}, Bearer ${two}`])).toBe(401);
  });
});
