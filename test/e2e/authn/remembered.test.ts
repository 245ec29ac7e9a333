// Remembered tokens, changed keys, and the verifier's own refusals.
import { createHash, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { AuthenticatorOptions } from '../../../src/authn/authenticator.ts';
import { createKeyRing, type ActiveKey, type VerificationKey } from '../../../src/authn/keys/verification-keys.ts';
import type { Principal } from '../../../src/authn/principal.ts';
import { isRefusal, type TokenRefusal } from '../../../src/authn/token-refusal.ts';
import type { PrepareVerifiers } from '../../../src/authn/keys/issuer-keys.ts';
import { prepareVerifiers } from '../../../src/http/jwt.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import { signToken } from '../../support/sign-token.ts';
import { createTokenIssuers, pemOf } from '../../support/servers/token-issuers.ts';
import { sentenceOf } from '../../support/sentences/name-sentence.ts';

const [oldSecret, newSecret, thirdSecret] = [
  'the-old-secret-of-the-remembered-tests-40',
  'the-new-secret-of-the-remembered-tests-40',
  'the-third-secret-of-the-remembered-tests-40',
] as const;
const iss = 'https://issuer.example';
const yaml = (secret: string): string => `- { issuer: '${iss}', audience: me, secret: ${secret} }`;
const seconds = (): number => Math.floor(Date.now() / 1000);
const claims = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss,
  aud: 'me',
  sub: 'user-1',
  exp: seconds() + 600,
  ...changes,
});

const open: { close: () => Promise<unknown> }[] = [];
afterEach(async () => {
  for (const part of open.splice(0)) await part.close();
});

async function start(
  text = yaml(oldSecret),
  options: Partial<AuthenticatorOptions> & { cookieName?: string } = {},
): Promise<AuthnServer> {
  const server = await startAuthnServer(issuersFrom(text), options);
  open.push(server);
  return server;
}

/** An authenticator whose verifications are counted. */
async function counted(options: Partial<AuthenticatorOptions> = {}) {
  let calls = 0;
  const counting: PrepareVerifiers = async (issuer, keys) => {
    const verifiers = await prepareVerifiers(issuer, keys);
    return verifiers.map((verify) => (token) => {
      calls += 1;
      return verify(token);
    });
  };
  const server = await start(yaml(oldSecret), { ...options, prepareVerifiers: counting });
  const reasonFor = async (token: string): Promise<string> => reasonOf(await server.authenticate(token));
  return { server, calls: () => calls, reasonFor };
}

const reasonOf = (result: Principal | TokenRefusal): string => (isRefusal(result) ? result.reason : 'accepted');
const accept = (): void => undefined;

function principalOf(result: Principal | TokenRefusal): Principal {
  if (isRefusal(result)) throw new Error(result.reason);
  return result;
}

describe('the secret of an issuer', () => {
  const other = 'https://other.example';
  const pem = pemOf(generateKeyPairSync('ed25519').publicKey);
  const three = `${yaml(oldSecret)}
- { issuer: '${other}', audience: me, secret: ${newSecret} }
- issuer: 'https://public.example'
  audience: me
  publicKey: |
${pem.replace(/^/gm, '    ')}`;

  it('is recognised while it is active; a public key is not a signing secret', async () => {
    const { authenticator } = await start(three);
    const isSecret = (text: string): boolean => authenticator.isSigningSecret(new Secret(text));
    expect([oldSecret, newSecret, thirdSecret, pem].map(isSecret)).toEqual([true, true, false, false]);
    await authenticator.replaceKeys(iss, `${oldSecret}\n${thirdSecret}`, accept);
    expect([oldSecret, thirdSecret].map(isSecret)).toEqual([true, true]);
    await authenticator.replaceKeys(iss, thirdSecret, accept);
    expect([oldSecret, thirdSecret].map(isSecret)).toEqual([false, true]);
  });

  it('is refused for a second issuer, because its signer could sign for both', async () => {
    const server = await start(three);
    for (const text of [newSecret, `${oldSecret}\n${newSecret}`]) {
      await expect(server.authenticator.replaceKeys(iss, text, accept)).rejects.toThrow(
        sentenceOf('secretOfOtherIssuer'),
      );
    }
    expect((await server.send(signToken('HS256', newSecret, claims()))).status).toBe(401);
    expect((await server.send(signToken('HS256', oldSecret, claims()))).status).toBe(200);
    expect((await server.send(signToken('HS256', newSecret, claims({ iss: other })))).status).toBe(200);
  });
});

describe('a remembered token', () => {
  it('is not verified again', async () => {
    const { reasonFor, calls } = await counted();
    const token = signToken('HS256', oldSecret, claims());
    for (let repeat = 0; repeat < 5; repeat += 1) expect(await reasonFor(token)).toBe('accepted');
    expect(calls()).toBe(1);
  });

  it('is verified once if it arrives many times at the same moment', async () => {
    const { server, calls } = await counted();
    const token = signToken('HS256', oldSecret, claims());
    const principals = await Promise.all(Array.from({ length: 20 }, () => server.authenticate(token)));
    expect(new Set(principals).size).toBe(1);
    expect(calls()).toBe(1);
  });

  it('gives the same principal, deeply frozen', async () => {
    const server = await start();
    const token = signToken('HS256', oldSecret, claims({ deep: { list: [{ a: 1 }] } }));
    const principal = principalOf(await server.authenticate(token));
    const deep = principal.claims['deep'] as { list: { a: number }[] };
    for (const part of [principal, principal.claims, deep, deep.list, deep.list[0]]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(await server.authenticate(token)).toBe(principal);
  });

  it('is checked against the clock each time', async () => {
    let skipped = 0;
    const clock = { now: () => Date.now() + skipped, monotonic: () => performance.now() };
    const { server, reasonFor } = await counted({ clock });
    const token = signToken(
      'HS256',
      oldSecret,
      claims({ exp: seconds() + 60, nbf: seconds() - 60, iat: seconds() - 60 }),
    );
    expect(await reasonFor(token)).toBe('accepted');
    skipped = 80_000;
    expect(await reasonFor(token)).toBe('accepted');
    skipped = 91_000;
    expect(await server.authenticate(token)).toMatchObject({ code: 'TOKEN_EXPIRED', sub: 'user-1', iss });
    expect(await server.authenticate(token)).toMatchObject({ code: 'TOKEN_EXPIRED' });
    skipped = 0;
    expect(await reasonFor(token)).toBe('accepted');
    skipped = -120_000;
    expect(await server.authenticate(token)).toMatchObject({ reason: 'token_not_yet_valid' });
  });

  it('is removed when its key is withdrawn', async () => {
    const server = await start(`- issuer: '${iss}'\n  audience: me\n  secret: |\n    ${oldSecret}\n    ${newSecret}\n`);
    const [old, fresh] = [signToken('HS256', oldSecret, claims()), signToken('HS256', newSecret, claims())];
    expect((await server.send(old)).status).toBe(200);
    expect((await server.send(fresh)).status).toBe(200);
    await server.authenticator.replaceKeys(iss, newSecret, accept);
    expect((await server.send(old)).status).toBe(401);
    expect((await server.send(fresh)).status).toBe(200);
    await server.authenticator.replaceKeys(iss, oldSecret, accept);
    expect((await server.send(old)).status).toBe(200);
  });

  it('is one of a limited number, of which the least recently used is removed first', async () => {
    const { reasonFor, calls } = await counted({ maxRememberedTokens: 3 });
    const tokens = Array.from({ length: 4 }, (_, index) => signToken('HS256', oldSecret, claims({ jti: index })));
    for (const token of tokens) await reasonFor(token);
    await reasonFor(tokens[3] ?? '');
    expect(calls()).toBe(4);
    await reasonFor(tokens[0] ?? '');
    expect(calls()).toBe(5);
  });

  it('does not reveal the expiry of a forged token', async () => {
    const server = await start();
    for (const times of [{ exp: 1 }, { nbf: seconds() + 3600 }, { iat: seconds() + 3600 }]) {
      const refused = await server.authenticate(signToken('HS256', newSecret, claims(times)));
      expect(refused).toMatchObject({ code: 'INVALID_TOKEN', reason: 'signature_invalid', isSigned: false });
      for (const member of ['iss', 'sub', 'claim', 'received']) expect(refused).not.toHaveProperty(member);
    }
  });

  it('is never an invalid token: each attempt is verified again', async () => {
    const { reasonFor, calls } = await counted();
    const forged = signToken('HS256', newSecret, claims());
    for (let repeat = 1; repeat <= 3; repeat += 1) {
      expect(await reasonFor(forged)).toBe('signature_invalid');
      expect(calls()).toBe(repeat);
    }
  });

  it('is identified by all its bytes', async () => {
    const server = await start();
    const token = signToken('HS256', oldSecret, claims());
    expect((await server.send(token)).status).toBe(200);
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    expect((await server.send(`${token.slice(0, -1)}${last}`)).status).toBe(401);
    expect((await server.send(token.slice(0, -1))).status).toBe(401);
  });
});

describe('changed keys', () => {
  it('are used completely or not at all', async () => {
    const server = await start();
    for (const bad of ['short', '', `${newSecret}\nshort`, pemOf(generateKeyPairSync('ed25519').publicKey)]) {
      const error: unknown = await server.authenticator
        .replaceKeys(iss, bad, accept)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(String(error)).not.toMatch(/the-new-secret|short$|BEGIN/);
      expect((await server.send(signToken('HS256', oldSecret, claims({ jti: bad })))).status).toBe(200);
      expect((await server.send(signToken('HS256', newSecret, claims({ jti: bad })))).status).toBe(401);
    }
    await server.authenticator.replaceKeys(iss, newSecret, accept);
    expect((await server.send(signToken('HS256', newSecret, claims()))).status).toBe(200);
    expect((await server.send(signToken('HS256', oldSecret, claims()))).status).toBe(401);
  });

  it('may have another type if public keys are configured', async () => {
    const [ec, ed] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ed25519')];
    const text = (key: string): string => `- issuer: '${iss}'\n  audience: me\n  publicKey: ${JSON.stringify(key)}\n`;
    const server = await start(text(pemOf(ec.publicKey)));
    expect((await server.send(signToken('ES256', ec.privateKey, claims()))).status).toBe(200);
    await server.authenticator.replaceKeys(iss, pemOf(ed.publicKey), accept);
    expect((await server.send(signToken('EdDSA', ed.privateKey, claims()))).status).toBe(200);
    expect((await server.send(signToken('ES256', ec.privateKey, claims({ jti: 1 })))).status).toBe(401);
  });

  it('must belong to an issuer with keys from a text', async () => {
    const server = await start(`- { issuer: '${iss}', audience: me, jwksUrl: 'https://127.0.0.1:1/' }`);
    const { replaceKeys } = server.authenticator;
    await expect(replaceKeys('https://other.example', newSecret, accept)).rejects.toThrow(
      sentenceOf('noConfiguredKeys'),
    );
    await expect(replaceKeys(iss, newSecret, accept)).rejects.toThrow(sentenceOf('noConfiguredKeys'));
  });
});

describe('a token without iss', () => {
  const noIssuer = (): string => signToken('HS256', oldSecret, claims({ iss: undefined }));

  it('is refused', async () => {
    const server = await start();
    expect(await server.authenticate(noIssuer())).toMatchObject({ reason: 'claim_missing', claim: 'iss' });
  });

  it('is accepted for the only issuer with INSECURE_JWT_ALLOW_MISSING_ISSUER', async () => {
    const server = await startAuthnServer(issuersFrom(yaml(oldSecret), { allowMissingIssuer: true }));
    open.push(server);
    expect(await server.authenticate(noIssuer())).toMatchObject({ iss, sub: 'user-1' });
    expect(await server.authenticate(signToken('HS256', oldSecret, claims({ iss: 'x' })))).toMatchObject({
      reason: 'issuer_refused',
    });
  });

  it('is refused if there are several issuers, even if one of them allows it', async () => {
    const [one] = issuersFrom(yaml(oldSecret), { allowMissingIssuer: true });
    const [two] = issuersFrom(yaml(oldSecret).replace(iss, 'https://two.example'));
    if (one === undefined || two === undefined) throw new Error('two issuers are needed');
    const server = await startAuthnServer([one, two]);
    open.push(server);
    expect(await server.authenticate(noIssuer())).toMatchObject({ reason: 'claim_missing' });
  });
});

describe('the registered @fastify/jwt', () => {
  const issuers = createTokenIssuers();
  const configs = issuersFrom(issuers.yaml);
  const byName = (name: keyof typeof issuers.issuers) => {
    const config = configs.find((candidate) => candidate.iss === issuers.issuers[name].iss);
    if (config === undefined) throw new Error('no such issuer');
    return config;
  };

  const hmacKey: VerificationKey = {
    algorithms: ['HS256'],
    material: createSecretKey(Buffer.from(issuers.keys.secret)),
  };
  const rsaKey: VerificationKey = { algorithms: ['RS256'], material: issuers.keys.rsa.publicKey };

  /** Calls the verifier only, without the checks before it. */
  async function verifyAlone(name: 'rsa' | 'hmac', token: string): Promise<string> {
    const [verify] = await prepareVerifiers(byName(name), [name === 'rsa' ? rsaKey : hmacKey]);
    return verify === undefined ? 'no verifier' : (verify(token) ?? 'accepted');
  }

  it('accepts a valid token', async () => {
    expect(await verifyAlone('rsa', issuers.token('rsa'))).toBe('accepted');
    expect(await verifyAlone('hmac', issuers.token('hmac'))).toBe('accepted');
  });

  it.each<readonly [string, 'rsa' | 'hmac', Record<string, unknown>, string]>([
    ['another issuer', 'rsa', { iss: 'https://hmac.example' }, 'claim_invalid'],
    ['no issuer', 'rsa', { iss: undefined }, 'claim_missing'],
    ['another audience', 'rsa', { aud: 'someone-else' }, 'claim_invalid'],
    ["another issuer's audience", 'hmac', { aud: 'another-audience' }, 'claim_invalid'],
    ['no audience', 'rsa', { aud: undefined }, 'claim_missing'],
    ['no exp', 'hmac', { exp: undefined }, 'claim_missing'],
    ['an exp in the past', 'hmac', { exp: issuers.now - 60 }, 'token_expired'],
    ['an nbf in the future', 'rsa', { nbf: issuers.now + 60 }, 'token_not_yet_valid'],
    ['no sub', 'rsa', { sub: undefined }, 'claim_missing'],
  ])('refuses %s without other checks', async (_title, name, changes, reason) => {
    expect(await verifyAlone(name, issuers.token(name, changes))).toBe(reason);
  });

  it('refuses an algorithm that does not fit the key, whatever its issuer allows', async () => {
    const ps256 = issuers.signWith('PS256', issuers.keys.rsa.privateKey, 'rsa');
    expect(await verifyAlone('rsa', ps256)).toBe('algorithm_refused');
    const hs256 = issuers.signWith('HS256', pemOf(issuers.keys.rsa.publicKey), 'rsa');
    expect(await verifyAlone('rsa', hs256)).toBe('algorithm_refused');
    const config = { ...byName('rsa'), algorithms: ['RS256', 'PS256'] as const };
    const [verify] = await prepareVerifiers(config, [rsaKey]);
    expect(verify?.(ps256)).toBe('algorithm_refused');
  });

  it('has one verifier for each key, in the same order', async () => {
    const keys = [issuers.keys.secret, issuers.keys.oldSecret].map((text): VerificationKey => ({
      algorithms: ['HS256'],
      material: createSecretKey(Buffer.from(text)),
    }));
    const [first, second] = await prepareVerifiers(byName('hmac'), keys);
    const token = issuers.signWith('HS256', issuers.keys.oldSecret, 'hmac');
    expect([first?.(token), second?.(token)]).toEqual(['signature_invalid', undefined]);
  });

  it('collects no stack for a refusal, and does not change the limit', async () => {
    const { stackTraceLimit } = Error;
    expect(await verifyAlone('rsa', issuers.signWith('RS256', issuers.keys.attacker.privateKey, 'rsa'))).toBe(
      'signature_invalid',
    );
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });
});

describe('a key ring', () => {
  const key = (kid: string | undefined, index: number): ActiveKey => ({
    kid,
    algorithms: ['ES256'],
    material: createSecretKey(Buffer.from(`key ${index}`)),
    verify: () => undefined,
  });

  it('returns all keys for a token without a kid, if they are few enough to try', () => {
    const keys = Array.from({ length: 9 }, (_, index) => key(`k${index}`, index));
    expect(createKeyRing(keys.slice(0, 8)).candidates(undefined, 'ES256')).toHaveLength(8);
    expect(createKeyRing(keys).candidates(undefined, 'ES256')).toHaveLength(0);
  });

  it('returns the keys with the kid of the token, then those without a kid', () => {
    const [nameless, a, otherA, b] = [key(undefined, 1), key('a', 2), key('a', 3), key('b', 4)];
    const ring = createKeyRing([nameless, a, otherA, b]);
    expect(ring.candidates('a', 'ES256')).toEqual([a, otherA, nameless]);
    expect(ring.candidates('unknown', 'ES256')).toEqual([nameless]);
    expect(ring.candidates('a', 'RS256')).toEqual([]);
    expect(['a', 'b', 'unknown'].map(ring.hasKid)).toEqual([true, true, false]);
  });

  it('returns no keys if too many have the same kid, and prints no key and no hash', () => {
    const ring = createKeyRing(Array.from({ length: 9 }, (_, index) => key('a', index)));
    expect(ring.candidates('a', 'ES256')).toEqual([]);
    const digest = createHash('sha256').update('key 0').digest('hex');
    for (const printed of [inspect(ring, { depth: 9, showHidden: true }), JSON.stringify(ring)]) {
      expect(printed).not.toMatch(/key 0/);
      expect(printed).not.toContain(digest);
    }
  });
});

describe('credentials over HTTP', () => {
  const send = async (server: AuthnServer, headers: [string, string][], path = '/guest-token', body?: string) => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers,
      body: body ?? null,
    });
    return [response.status, response.headers.get('www-authenticate')];
  };

  it('in the query or the body are never read', async () => {
    const server = await start(yaml(oldSecret), { cookieName: 'session' });
    const token = signToken('HS256', oldSecret, claims());
    expect(await send(server, [], `/guest-token?access_token=${token}&token=${token}`)).toEqual([401, 'Bearer']);
    const form: [string, string][] = [['content-type', 'application/json']];
    expect(await send(server, form, '/guest-token', JSON.stringify({ access_token: token }))).toEqual([401, 'Bearer']);
  });

  it('in the cookie are accepted from an allowed page or the own origin', async () => {
    const server = await start(yaml(oldSecret), { cookieName: 'session' });
    const cookie: [string, string] = ['cookie', `a=1; session=${signToken('HS256', oldSecret, claims())}`];
    expect(await send(server, [cookie])).toEqual([403, null]);
    expect(await send(server, [cookie, ['origin', 'https://app.example']])).toEqual([200, null]);
    expect(await send(server, [cookie, ['origin', server.url]])).toEqual([200, null]);
    expect(await send(server, [cookie, ['origin', 'https://evil.example']])).toEqual([403, null]);
  });
});
