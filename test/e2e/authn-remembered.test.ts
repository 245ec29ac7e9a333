// Remembered tokens, changed keys, and what the verifier refuses by itself.
import { generateKeyPairSync } from 'node:crypto';
import Fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { AuthenticatorOptions } from '../../src/authn/authenticate.ts';
import { createKeyRing, type LoadedKey } from '../../src/authn/keys/key-ring.ts';
import { ServiceError } from '../../src/errors.ts';
import { registerJwt } from '../../src/http/jwt.ts';
import { Secret } from '../../src/secrets/secret.ts';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../support/authn-server.ts';
import { signToken } from '../support/sign-token.ts';
import { createTokenIssuers, pemOf } from '../support/token-issuers.ts';

const [oldSecret, newSecret] = ['o'.repeat(40), 'n'.repeat(40)];
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

/** An authenticator whose verifier is counted. */
async function counted(options: Partial<AuthenticatorOptions> = {}) {
  const server = await start(yaml(oldSecret), options);
  let calls = 0;
  const app = Fastify();
  open.push(app);
  const verifierOf = await registerJwt(app, issuersFrom(yaml(oldSecret)));
  app.post<{ Body: { token: string } }>('/', async (request) => {
    const principal = await server.authenticator.authenticate(request.body.token, (...args) => {
      calls += 1;
      return verifierOf(request)(...args);
    });
    return { frozen: Object.isFrozen(principal) && Object.isFrozen(principal.claims), sub: principal.sub };
  });
  return {
    server,
    calls: () => calls,
    ask: async (token: string) => (await app.inject({ method: 'POST', url: '/', payload: { token } })).statusCode,
  };
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

  it('is known as one, as long as it is in force; a public key is none', async () => {
    const { authenticator } = await start(three);
    const isSecret = (text: string): boolean => authenticator.isSigningSecret(new Secret(text));
    expect([oldSecret, newSecret, 'x'.repeat(40), pem].map(isSecret)).toEqual([true, true, false, false]);
    authenticator.replaceKeys(iss, `${oldSecret}\n${'x'.repeat(40)}`);
    expect([oldSecret, 'x'.repeat(40)].map(isSecret)).toEqual([true, true]);
    authenticator.replaceKeys(iss, 'x'.repeat(40));
    expect([oldSecret, 'x'.repeat(40)].map(isSecret)).toEqual([false, true]);
  });

  it('is not taken for another issuer too: whoever signs for one could sign for the other', async () => {
    const server = await start(three);
    for (const text of [newSecret, `${oldSecret}\n${newSecret}`]) {
      expect(() => server.authenticator.replaceKeys(iss, text)).toThrow('is the secret of another issuer too');
    }
    expect((await server.send(signToken('HS256', newSecret, claims()))).status).toBe(401);
    expect((await server.send(signToken('HS256', oldSecret, claims()))).status).toBe(200);
    expect((await server.send(signToken('HS256', newSecret, claims({ iss: other })))).status).toBe(200);
  });
});

describe('a remembered token', () => {
  it('costs no second verification', async () => {
    const { ask, calls } = await counted();
    const token = signToken('HS256', oldSecret, claims());
    for (let repeat = 0; repeat < 5; repeat += 1) expect(await ask(token)).toBe(200);
    expect(calls()).toBe(1);
  });

  it('is verified once when it comes many times at the same moment', async () => {
    const { authenticator } = await start();
    const token = signToken('HS256', oldSecret, claims());
    let calls = 0;
    const verify = (): Promise<Record<string, unknown>> => {
      calls += 1;
      return Promise.resolve(claims());
    };
    const principals = await Promise.all(Array.from({ length: 20 }, () => authenticator.authenticate(token, verify)));
    expect(new Set(principals).size).toBe(1);
    expect(calls).toBe(1);
  });

  it('gives the same principal, frozen through and through', async () => {
    const server = await start();
    const app = Fastify();
    open.push(app);
    const verifierOf = await registerJwt(app, issuersFrom(yaml(oldSecret)));
    const token = signToken('HS256', oldSecret, claims({ deep: { list: [{ a: 1 }] } }));
    const principals: unknown[] = [];
    app.post('/', async (request) => {
      const principal = await server.authenticator.authenticate(token, verifierOf(request));
      principals.push(principal);
      const deep = principal.claims['deep'] as { list: { a: number }[] };
      return [principal, principal.claims, deep, deep.list, deep.list[0]].map((part) => Object.isFrozen(part));
    });
    expect((await app.inject({ method: 'POST', url: '/' })).json()).toEqual([true, true, true, true, true]);
    await app.inject({ method: 'POST', url: '/' });
    expect(principals[1]).toBe(principals[0]);
  });

  it('is checked against the clock every time', async () => {
    let skipped = 0;
    const clock = { now: () => Date.now() + skipped, monotonic: () => performance.now() };
    const { server, ask } = await counted({ clock });
    const token = signToken(
      'HS256',
      oldSecret,
      claims({ exp: seconds() + 60, nbf: seconds() - 60, iat: seconds() - 60 }),
    );
    expect(await ask(token)).toBe(200);
    skipped = 80_000;
    expect(await ask(token)).toBe(200);
    skipped = 91_000;
    expect(await server.authenticate(token)).toMatchObject({ code: 'TOKEN_EXPIRED', detail: { sub: 'user-1', iss } });
    expect(await server.authenticate(token)).toMatchObject({ code: 'TOKEN_EXPIRED' });
    skipped = 0;
    expect(await ask(token)).toBe(200);
    skipped = -120_000;
    expect(await server.authenticate(token)).toMatchObject({ reason: 'token_not_yet_valid' });
  });

  it('is forgotten when its key goes', async () => {
    const server = await start(`- issuer: '${iss}'\n  audience: me\n  secret: |\n    ${oldSecret}\n    ${newSecret}\n`);
    const [old, fresh] = [signToken('HS256', oldSecret, claims()), signToken('HS256', newSecret, claims())];
    expect((await server.send(old)).status).toBe(200);
    expect((await server.send(fresh)).status).toBe(200);
    server.authenticator.replaceKeys(iss, newSecret);
    expect((await server.send(old)).status).toBe(401);
    expect((await server.send(fresh)).status).toBe(200);
    server.authenticator.replaceKeys(iss, oldSecret);
    expect((await server.send(old)).status).toBe(200);
  });

  it('is one of a bounded number: the least recently used leaves first', async () => {
    const { ask, calls } = await counted({ maxRememberedTokens: 3 });
    const tokens = Array.from({ length: 4 }, (_, index) => signToken('HS256', oldSecret, claims({ jti: index })));
    for (const token of tokens) await ask(token);
    await ask(tokens[3] ?? '');
    expect(calls()).toBe(4);
    await ask(tokens[0] ?? '');
    expect(calls()).toBe(5);
  });

  it('says of a forged one nothing but that it is forged, whatever its times', async () => {
    const server = await start();
    for (const times of [{ exp: 1 }, { nbf: seconds() + 3600 }, { iat: seconds() + 3600 }]) {
      const refused = await server.authenticate(signToken('HS256', newSecret, claims(times)));
      expect(refused).toMatchObject({ code: 'INVALID_TOKEN', reason: 'signature_invalid', detail: {} });
      expect(refused).not.toHaveProperty('detail.sub');
    }
  });

  it('is never a bad one: each try is verified again', async () => {
    const { ask, calls } = await counted();
    const forged = signToken('HS256', newSecret, claims());
    for (let repeat = 1; repeat <= 3; repeat += 1) {
      expect(await ask(forged)).toBe(500);
      expect(calls()).toBe(repeat);
    }
  });

  it('is known by every byte of it', async () => {
    const server = await start();
    const token = signToken('HS256', oldSecret, claims());
    expect((await server.send(token)).status).toBe(200);
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    expect((await server.send(`${token.slice(0, -1)}${last}`)).status).toBe(401);
    expect((await server.send(token.slice(0, -1))).status).toBe(401);
  });
});

describe('changed keys', () => {
  it('are taken into use whole or not at all', async () => {
    const server = await start();
    for (const bad of ['short', '', `${newSecret}\nshort`, pemOf(generateKeyPairSync('ed25519').publicKey)]) {
      expect(() => server.authenticator.replaceKeys(iss, bad)).toThrow();
      expect(() => server.authenticator.replaceKeys(iss, bad)).not.toThrow(/nnnn|short$|BEGIN/);
      expect((await server.send(signToken('HS256', oldSecret, claims({ jti: bad })))).status).toBe(200);
      expect((await server.send(signToken('HS256', newSecret, claims({ jti: bad })))).status).toBe(401);
    }
    server.authenticator.replaceKeys(iss, newSecret);
    expect((await server.send(signToken('HS256', newSecret, claims()))).status).toBe(200);
    expect((await server.send(signToken('HS256', oldSecret, claims()))).status).toBe(401);
  });

  it('may be of another type where public keys are configured', async () => {
    const [ec, ed] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ed25519')];
    const text = (key: string): string => `- issuer: '${iss}'\n  audience: me\n  publicKey: ${JSON.stringify(key)}\n`;
    const server = await start(text(pemOf(ec.publicKey)));
    expect((await server.send(signToken('ES256', ec.privateKey, claims()))).status).toBe(200);
    server.authenticator.replaceKeys(iss, pemOf(ed.publicKey));
    expect((await server.send(signToken('EdDSA', ed.privateKey, claims()))).status).toBe(200);
    expect((await server.send(signToken('ES256', ec.privateKey, claims({ jti: 1 })))).status).toBe(401);
  });

  it('belong to an issuer that is configured, with keys from a text', async () => {
    const server = await start(`- { issuer: '${iss}', audience: me, jwksUrl: 'https://127.0.0.1:1/' }`);
    expect(() => server.authenticator.replaceKeys('https://other.example', newSecret)).toThrow('no such issuer');
    expect(() => server.authenticator.replaceKeys(iss, newSecret)).toThrow('fetched, not configured');
  });
});

describe('a token without iss', () => {
  const noIssuer = (): string => signToken('HS256', oldSecret, claims({ iss: undefined }));

  it('is refused', async () => {
    const server = await start();
    expect(await server.authenticate(noIssuer())).toMatchObject({ reason: 'claim_missing', detail: { claim: 'iss' } });
  });

  it('is accepted for the only issuer with INSECURE_JWT_ALLOW_MISSING_ISSUER, and belongs to it', async () => {
    const server = await startAuthnServer(issuersFrom(yaml(oldSecret), { allowMissingIssuer: true }));
    open.push(server);
    expect(await server.authenticate(noIssuer())).toMatchObject({ iss, sub: 'user-1' });
    expect(await server.authenticate(signToken('HS256', oldSecret, claims({ iss: 'x' })))).toMatchObject({
      reason: 'issuer_refused',
    });
  });

  it('is refused among several issuers, even if one of them would allow it', async () => {
    const [one] = issuersFrom(yaml(oldSecret), { allowMissingIssuer: true });
    const [two] = issuersFrom(yaml(oldSecret).replace(iss, 'https://two.example'));
    if (one === undefined || two === undefined) throw new Error('two issuers are needed');
    const server = await startAuthnServer([one, two]);
    open.push(server);
    expect(await server.authenticate(noIssuer())).toMatchObject({ reason: 'claim_missing' });
  });
});

describe('@fastify/jwt as it is registered', () => {
  const issuers = createTokenIssuers();
  const configs = issuersFrom(issuers.yaml);
  const byName = (name: keyof typeof issuers.issuers) => {
    const config = configs.find((candidate) => candidate.iss === issuers.issuers[name].iss);
    if (config === undefined) throw new Error('no such issuer');
    return config;
  };

  /** Asks the verifier alone, without the checks that come before it. */
  async function verifyAlone(name: keyof typeof issuers.issuers, token: string, key: LoadedKey): Promise<unknown> {
    const app = Fastify();
    open.push(app);
    const verifierOf = await registerJwt(app, configs);
    let outcome: unknown;
    app.get('/', async (request) => {
      outcome = await verifierOf(request)(byName(name), token, key).catch((error: unknown) => error);
      return {};
    });
    await app.inject('/');
    return outcome;
  }
  const hmacKey: LoadedKey = { algorithms: ['HS256'], material: new Secret(issuers.keys.secret) };
  const rsaKey: LoadedKey = { algorithms: ['RS256'], material: new Secret(pemOf(issuers.keys.rsa.publicKey)) };

  it('accepts a good token', async () => {
    expect(await verifyAlone('rsa', issuers.token('rsa'), rsaKey)).toMatchObject({ sub: 'user-1' });
  });

  it.each<readonly [string, 'rsa' | 'hmac', Record<string, unknown>]>([
    ['another issuer', 'rsa', { iss: 'https://hmac.example' }],
    ['no issuer', 'rsa', { iss: undefined }],
    ['another audience', 'rsa', { aud: 'someone-else' }],
    ["another issuer's audience", 'hmac', { aud: 'another-audience' }],
    ['no audience', 'rsa', { aud: undefined }],
    ['no exp', 'hmac', { exp: undefined }],
    ['an exp that has passed', 'hmac', { exp: issuers.now - 60 }],
    ['an nbf ahead', 'rsa', { nbf: issuers.now + 60 }],
    ['no sub', 'rsa', { sub: undefined }],
  ])('refuses %s by itself', async (_title, name, changes) => {
    const refused = await verifyAlone(name, issuers.token(name, changes), name === 'rsa' ? rsaKey : hmacKey);
    expect(refused).toBeInstanceOf(ServiceError);
    expect(refused).toMatchObject({ code: expect.stringMatching(/^(INVALID_TOKEN|TOKEN_EXPIRED)$/) as string });
  });

  it('refuses an algorithm that is not bound to the issuer, even with the right key', async () => {
    const ps256 = issuers.signWith('PS256', issuers.keys.rsa.privateKey, 'rsa');
    expect(await verifyAlone('rsa', ps256, rsaKey)).toMatchObject({ reason: 'algorithm_refused' });
    const hs256 = issuers.signWith('HS256', pemOf(issuers.keys.rsa.publicKey), 'rsa');
    expect(await verifyAlone('rsa', hs256, rsaKey)).toMatchObject({ reason: 'algorithm_refused' });
  });

  it('keeps a bounded number of verifiers, and verifies beyond it as well', async () => {
    const app = Fastify();
    open.push(app);
    const verifierOf = await registerJwt(app, configs, { maxKeptVerifiers: 1 });
    const outcomes: unknown[] = [];
    app.get('/', async (request) => {
      for (const secret of [issuers.keys.secret, issuers.keys.oldSecret, issuers.keys.secret]) {
        const key: LoadedKey = { algorithms: ['HS256'], material: new Secret(secret) };
        const good = await verifierOf(request)(byName('hmac'), issuers.signWith('HS256', secret, 'hmac'), key);
        outcomes.push(good['sub']);
        const bad = issuers.signWith('HS256', 'x'.repeat(40), 'hmac');
        await verifierOf(request)(byName('hmac'), bad, key).catch((error: ServiceError) => outcomes.push(error.reason));
      }
      return {};
    });
    await app.inject('/');
    expect(outcomes).toEqual(Array.from({ length: 3 }, () => ['user-1', 'signature_invalid']).flat());
  });

  it('is a bug, not a refusal, for an issuer that is not registered', async () => {
    const stranger = { ...byName('rsa'), iss: 'https://stranger.example' };
    const app = Fastify();
    open.push(app);
    const verifierOf = await registerJwt(app, configs);
    let outcome: unknown;
    app.get('/', async (request) => {
      outcome = await verifierOf(request)(stranger, issuers.token('rsa'), rsaKey).catch((error: unknown) => error);
      return {};
    });
    await app.inject('/');
    expect(outcome).toMatchObject({ code: 'INTERNAL_ERROR', reason: 'bug' });
  });
});

describe('a ring of keys', () => {
  const key = (kid: string | undefined, index: number): LoadedKey => ({
    ...(kid === undefined ? {} : { kid }),
    algorithms: ['ES256'],
    material: new Secret(`key ${index}`),
  });

  it('gives a token without kid all keys that fit, if they are few enough to try', () => {
    const keys = Array.from({ length: 9 }, (_, index) => key(`k${index}`, index));
    expect(createKeyRing(keys.slice(0, 8), true).candidates(undefined, 'ES256')).toHaveLength(8);
    expect(createKeyRing(keys, true).candidates(undefined, 'ES256')).toHaveLength(0);
  });

  it('without names knows any kid; with names only theirs, and a token that names none', () => {
    const known = (named: boolean): boolean[] => {
      const ring = createKeyRing([key('a', 1)], named);
      return ['a', 'b', undefined].map((kid) => ring.knows(kid));
    };
    expect(known(false)).toEqual([true, true, true]);
    expect(known(true)).toEqual([true, false, true]);
  });

  it('gives no nameless key of a set to a token that names one', () => {
    const ring = createKeyRing([key(undefined, 1), key('a', 2)], true);
    expect(ring.candidates('b', 'ES256')).toEqual([]);
    expect(ring.candidates('a', 'ES256')).toHaveLength(1);
    expect(ring.knows('b')).toBe(false);
    expect(ring.knows(undefined)).toBe(true);
  });
});

describe('credentials over HTTP', () => {
  const ask = async (server: AuthnServer, headers: [string, string][], path = '/guest-token', body?: string) => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers,
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, response.headers.get('www-authenticate')];
  };

  it('in query or body are never read', async () => {
    const server = await start(yaml(oldSecret), { cookieName: 'session' });
    const token = signToken('HS256', oldSecret, claims());
    expect(await ask(server, [], `/guest-token?access_token=${token}&token=${token}`)).toEqual([401, 'Bearer']);
    const form: [string, string][] = [['content-type', 'application/json']];
    expect(await ask(server, form, '/guest-token', JSON.stringify({ access_token: token }))).toEqual([401, 'Bearer']);
  });

  it('in the cookie count from an allowed page or our own', async () => {
    const server = await start(yaml(oldSecret), { cookieName: 'session' });
    const cookie: [string, string] = ['cookie', `a=1; session=${signToken('HS256', oldSecret, claims())}`];
    expect(await ask(server, [cookie])).toEqual([403, null]);
    expect(await ask(server, [cookie, ['origin', 'https://app.example']])).toEqual([200, null]);
    expect(await ask(server, [cookie, ['origin', server.url]])).toEqual([200, null]);
    expect(await ask(server, [cookie, ['origin', 'https://evil.example']])).toEqual([403, null]);
  });
});
