// Fetched key sets on real sockets: rotation, withdrawal, outage, and issuers that are slow, send huge or wrong
// answers, redirect or fail. Times are shorter than in production; tests can set the clock forward.
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { KeySetTimings } from '../../../src/authn/keys/fetched-keys.ts';
import type { TokenRefusal } from '../../../src/authn/token-refusal.ts';
import type { PrepareVerifiers } from '../../../src/authn/keys/issuer-keys.ts';
import type { Clock } from '../../../src/clock.ts';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import {
  dripping,
  json,
  silent,
  startKeyServer,
  status,
  type Respond,
  type KeyServer,
} from '../../support/servers/key-server.ts';
import { signToken } from '../../support/sign-token.ts';

const iss = 'https://issuer.example';
const hour = 3_600_000;
/** test/unit/authn/keys/public-key-text.test.ts asserts the problem itself. */
const sentence = expect.any(String) as string;
const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part.close();
});

interface IssuerKey {
  readonly kid: string;
  readonly jwk: JsonWebKey & { kid: string };
  readonly token: (claims?: Record<string, unknown>, header?: object) => string;
}

function issuerKey(kid: string, issuer = iss): IssuerKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    kid,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid },
    token: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: issuer, aud: 'me', sub: 'user-1', exp: now + 600, ...claims };
      return signToken('ES256', privateKey, all, { kid, ...header });
    },
  };
}

/** Long enough for a busy machine. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000 });

const setOf = (...keys: IssuerKey[]) => ({ keys: keys.map(({ jwk }) => jwk) });

/** A clock whose monotonic time the test can advance; if `stopped`, it moves only then. */
function movableClock(stopped = false): Clock & { forward: (ms: number) => void } {
  let offset = 0;
  return {
    now: () => Date.now(),
    monotonic: () => (stopped ? 0 : performance.now()) + offset,
    forward: (ms) => {
      offset += ms;
    },
  };
}

/** Each verification blocks the event loop for a while. */
const slowVerifiers: PrepareVerifiers = async (_issuer, keys) =>
  keys.map(() => () => {
    const until = performance.now() + 1;
    while (performance.now() < until);
    return undefined;
  });

async function setUp(options: {
  answer: Respond;
  timings?: Partial<KeySetTimings>;
  clock?: Clock;
  maxKeySetBytes?: number;
  waitForKeys?: boolean;
  prepareVerifiers?: PrepareVerifiers;
  yaml?: (url: string) => string;
}): Promise<{ issuer: KeyServer; server: AuthnServer }> {
  const issuer = await startKeyServer();
  open.push(issuer);
  issuer.on('/jwks', options.answer);
  const yaml = options.yaml?.(issuer.url) ?? `- { issuer: ${iss}, audience: me, jwksUrl: '${issuer.url}/jwks' }`;
  const server = await startAuthnServer(issuersFrom(yaml), {
    timings: options.timings,
    clock: options.clock,
    prepareVerifiers: options.prepareVerifiers,
    maxKeySetBytes: options.maxKeySetBytes,
  });
  open.push(server);
  server.authenticator.start();
  if (options.waitForKeys ?? true) await eventually(() => expect(server.events.length).toBeGreaterThan(0));
  return { issuer, server };
}

const codeOf = ({ status: code, body }: { status: number; body: unknown }): unknown => [
  code,
  (body as { error?: { code: string } }).error?.code ?? 'accepted',
];

/** The token with changed members of its header (0) or claims (1) and the same signature, without signing it again. */
function withPart(token: string, index: 0 | 1, members: Readonly<Record<string, unknown>>): string {
  const parts = token.split('.');
  const part = JSON.parse(Buffer.from(parts[index] ?? '', 'base64url').toString('utf8')) as object;
  parts[index] = Buffer.from(JSON.stringify({ ...part, ...members })).toString('base64url');
  return parts.join('.');
}

describe('a fetched key set', () => {
  it('verifies a token with the key of its kid', async () => {
    const key = issuerKey('a');
    const { issuer, server } = await setUp({ answer: json(setOf(issuerKey('b'), key)) });
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    expect(server.authenticator.ready()).toBe(true);
    expect(issuer.requests).toEqual(['/jwks']);
    expect(server.events).toMatchObject([{ event: 'fetched', iss, keys: 2 }]);
  });

  it('fetches a new key at once when a token names it, even after a scheduled fetch', async () => {
    const keys = ['old', 'fresh', 'newer', 'newest'].map((kid) => issuerKey(kid));
    const { issuer, server } = await setUp({ answer: json(setOf(...keys.slice(0, 1))), clock: movableClock(true) });
    for (const [index, key] of keys.entries()) {
      issuer.on('/jwks', json(setOf(...keys.slice(0, index + 1))));
      expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    }
    expect(codeOf(await server.send(keys[0]?.token() ?? ''))).toEqual([200, 'accepted']);
    expect(issuer.requests).toHaveLength(4);
  });

  it('accepts a remembered token without another check after a refresh that changed other keys', async () => {
    const [old, fresh] = [issuerKey('old'), issuerKey('fresh')];
    const { issuer, server } = await setUp({ answer: json(setOf(old)) });
    const token = old.token();
    const before = await server.authenticate(token);
    issuer.on('/jwks', json(setOf(fresh, old)));
    expect(codeOf(await server.send(fresh.token()))).toEqual([200, 'accepted']);
    expect(await server.authenticate(token)).toBe(before);
  });

  it('stops accepting a withdrawn key at the next refresh, even for remembered tokens', async () => {
    const [old, fresh] = [issuerKey('old'), issuerKey('fresh')];
    const clock = movableClock();
    const { issuer, server } = await setUp({ answer: json(setOf(old)), clock });
    const token = old.token();
    expect(codeOf(await server.send(token))).toEqual([200, 'accepted']);
    issuer.on('/jwks', json(setOf(fresh)));
    expect(codeOf(await server.send(token))).toEqual([200, 'accepted']);
    clock.forward(30_000);
    expect(codeOf(await server.send(fresh.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(token))).toEqual([401, 'INVALID_TOKEN']);
    expect(server.refusals.at(-1)?.reason).toBe('key_unknown');
  });

  it('removes a remembered token if its kid names another key after a refresh', async () => {
    const [first, second, other] = [issuerKey('same'), issuerKey('same'), issuerKey('other')];
    const clock = movableClock();
    const { issuer, server } = await setUp({ answer: json(setOf(first)), clock });
    const token = first.token();
    expect(codeOf(await server.send(token))).toEqual([200, 'accepted']);
    issuer.on('/jwks', json(setOf(second, other)));
    clock.forward(30_000);
    expect(codeOf(await server.send(other.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(token))).toEqual([401, 'INVALID_TOKEN']);
    expect(codeOf(await server.send(second.token()))).toEqual([200, 'accepted']);
  });

  it('is refreshed in the background at the time in Cache-Control, within limits', async () => {
    const key = issuerKey('a');
    const { issuer, server } = await setUp({
      answer: json(setOf(key), { 'cache-control': 'max-age=0' }),
      timings: { minRefreshMs: 50, maxRefreshMs: 10_000 },
    });
    await eventually(() => expect(issuer.requests.length).toBeGreaterThan(3));
    issuer.on('/jwks', json(setOf(key), { 'cache-control': 'max-age=3600' }));
    const before = issuer.requests.length;
    await eventually(() => expect(issuer.requests.length).toBeGreaterThan(before));
    const count = issuer.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(issuer.requests.length).toBe(count);
    expect(server.events.filter(({ event, changed }) => event === 'fetched' && changed === true)).toHaveLength(1);
  });

  it('is fetched a few times for 10,000 random kids, then once per cooldown', { timeout: 60_000 }, async () => {
    const key = issuerKey('a');
    const clock = movableClock(true);
    const { issuer, server } = await setUp({ answer: json(setOf(key)), clock });
    const seen = new Map<string, number>();
    const token = key.token();
    const flood = async (from: number): Promise<void> => {
      for (let batch = 0; batch < 50; batch += 1) {
        const tokens = Array.from({ length: 100 }, (_, index) =>
          withPart(token, 0, { kid: `${from + batch * 100 + index}` }),
        );
        for (const answer of await Promise.all(tokens.map((token) => server.authenticate(token)))) {
          const { code, reason } = answer as TokenRefusal;
          seen.set(`${code} ${reason}`, (seen.get(`${code} ${reason}`) ?? 0) + 1);
        }
        expect(codeOf(await server.send(key.token({ batch: from + batch })))).toEqual([200, 'accepted']);
      }
    };
    await flood(0);
    expect(issuer.requests).toHaveLength(4);
    expect(Object.fromEntries(seen)).toEqual({
      'INVALID_TOKEN key_unknown': 300,
      'AUTHENTICATION_UNAVAILABLE key_not_looked_up': 4_700,
    });
    clock.forward(29_999);
    await flood(5_000);
    expect(issuer.requests).toHaveLength(4);
    clock.forward(1);
    expect(codeOf(await server.send(key.token({}, { kid: 'again' })))).toEqual([401, 'INVALID_TOKEN']);
    expect(issuer.requests).toHaveLength(5);
  });

  it('that may not be fetched yet gives 503 with the time to wait, and not 401, because the key may be new', async () => {
    const [old, fresh] = [issuerKey('old'), issuerKey('fresh')];
    const clock = movableClock(true);
    const { issuer, server } = await setUp({ answer: json(setOf(old)), clock });
    for (const kid of ['x', 'y', 'z']) await server.send(old.token({}, { kid }));
    issuer.on('/jwks', json(setOf(old, fresh)));
    clock.forward(10_000);
    expect(codeOf(await server.send(fresh.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    expect(server.refusals.at(-1)).toMatchObject({ reason: 'key_not_looked_up', detail: { retryAfterSeconds: 20 } });
    clock.forward(20_000);
    expect(codeOf(await server.send(fresh.token()))).toEqual([200, 'accepted']);
  });

  it('without a withdrawn key gives 401 at once, without another fetch, until the issuer publishes it again', async () => {
    const [old, fresh] = [issuerKey('old'), issuerKey('fresh')];
    const clock = movableClock(true);
    const { issuer, server } = await setUp({ answer: json(setOf(old)), clock });
    issuer.on('/jwks', json(setOf(fresh)));
    expect(codeOf(await server.send(fresh.token()))).toEqual([200, 'accepted']);
    for (let index = 0; index < 10; index += 1) {
      expect(codeOf(await server.send(old.token({ jti: index })))).toEqual([401, 'INVALID_TOKEN']);
    }
    expect(issuer.requests).toHaveLength(2);
    issuer.on('/jwks', json(setOf(fresh, old)));
    await server.send(fresh.token({}, { kid: 'unknown' }));
    expect(codeOf(await server.send(old.token()))).toEqual([200, 'accepted']);
  });

  it('is not fetched for the key of an expired token', async () => {
    const { issuer, server } = await setUp({ answer: json(setOf(issuerKey('a'))) });
    const past = Math.floor(Date.now() / 1000) - 60;
    expect(codeOf(await server.send(issuerKey('old').token({ exp: past })))).toEqual([401, 'INVALID_TOKEN']);
    expect(server.refusals.at(-1)?.reason).toBe('key_unknown');
    expect(issuer.requests).toHaveLength(1);
  });

  it('is fetched once for tokens with unknown kids that arrive during the fetch', async () => {
    const key = issuerKey('a');
    const clock = movableClock();
    const { issuer, server } = await setUp({ answer: json(setOf(issuerKey('x'))), clock });
    clock.forward(30_000);
    issuer.on('/jwks', (request, response) => {
      setTimeout(() => json(setOf(key))(request, response), 100);
    });
    const answers = await Promise.all(Array.from({ length: 50 }, () => server.send(key.token())));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(issuer.requests).toHaveLength(2);
  });

  it('is not fetched for 10,000 bad signatures', { timeout: 60_000 }, async () => {
    const [key, forger] = [issuerKey('a'), issuerKey('a')];
    const clock = movableClock();
    const { issuer, server } = await setUp({ answer: json(setOf(key)), clock });
    clock.forward(60_000);
    const forged = forger.token();
    for (let batch = 0; batch < 100; batch += 1) {
      const tokens = Array.from({ length: 100 }, (_, index) => withPart(forged, 1, { n: batch * 100 + index }));
      const answers = await Promise.all(tokens.map((token) => server.authenticate(token)));
      for (const answer of answers) expect(answer).toMatchObject({ reason: 'signature_invalid' });
    }
    expect(issuer.requests).toHaveLength(1);
  });

  it('is not fetched for an unknown kid of a token that fails an earlier check', async () => {
    const key = issuerKey('a');
    const clock = movableClock();
    const { issuer, server } = await setUp({ answer: json(setOf(key)), clock });
    clock.forward(60_000);
    await server.send(key.token({ aud: 'someone-else' }, { kid: 'x' }));
    await server.send(key.token({ iss: 'https://other.example' }, { kid: 'x' }));
    await server.send(key.token({}, { kid: 'x', crit: ['x'] }));
    await server.send(key.token({}, { kid: undefined, alg: 'RS256' }));
    expect(issuer.requests).toHaveLength(1);
  });

  it('skips private, symmetric, weak, misplaced and unknown keys with a warning for each, and uses the rest', async () => {
    const key = issuerKey('good');
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const leaked = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { server } = await setUp({
      answer: json({
        keys: [
          { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak' },
          { ...leaked.privateKey.export({ format: 'jwk' }), kid: 'leaked' },
          { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 'oct' },
          { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA', kid: 'curve' },
          { kty: 'XX', kid: 'type' },
          { ...issuerKey('enc').jwk, use: 'enc' },
          { ...issuerKey('ops').jwk, key_ops: ['encrypt'] },
          key.jwk,
        ],
      }),
    });
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    expect(server.events[0]).toMatchObject({
      event: 'fetched',
      keys: 1,
      leftOut: [
        { which: 'key 1 (kid weak)', why: sentence, isBad: true },
        { which: 'key 2 (kid leaked)', why: sentence, isBad: true },
        { which: 'key 3 (kid oct)', why: sentence, isBad: true },
        { which: 'key 4 (kid curve)', why: sentence, isBad: true },
        { which: 'key 5 (kid type)', why: sentence, isBad: true },
        { which: 'key 6 (kid enc)', why: 'has use enc, not sig', isBad: false },
        { which: 'key 7 (kid ops)', why: sentence, isBad: false },
      ],
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss, aud: 'me', sub: 'u', exp: now + 60 };
    const forged = signToken('ES256', leaked.privateKey, claims, { kid: 'leaked' });
    expect(codeOf(await server.send(forged))).toEqual([401, 'INVALID_TOKEN']);
    const weakly = signToken('RS256', weak.privateKey, claims, { kid: 'weak' });
    expect(codeOf(await server.send(weakly))).toEqual([401, 'INVALID_TOKEN']);
  });

  it('reports a bad key once, not at every refresh', async () => {
    const document = { keys: [issuerKey('a').jwk, { kty: 'oct', k: 'AAAA', kid: 'oct' }] };
    const { issuer, server } = await setUp({
      answer: json(document, { 'cache-control': 'no-store' }),
      timings: { minRefreshMs: 20 },
    });
    await eventually(() => expect(issuer.requests.length).toBeGreaterThan(4));
    expect(server.events.filter(({ changed }) => changed === true)).toHaveLength(1);
  });

  it('may repeat a kid: for other uses, for each algorithm, for keys of several types', async () => {
    const [key, other] = [issuerKey('k'), issuerKey('other')];
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rsaJwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k' };
    const { server } = await setUp({
      answer: json({
        keys: [
          { ...key.jwk, use: 'enc' },
          { ...key.jwk, use: 'sig' },
          key.jwk,
          ...['RS256', 'RS384', 'RS512', 'RSA-OAEP'].map((alg) => ({ ...rsaJwk, alg })),
          other.jwk,
        ],
      }),
      yaml: (url) =>
        `- { issuer: ${iss}, audience: me, jwksUrl: '${url}/jwks', algorithms: [ES256, RS256, RS384, RS512] }`,
    });
    expect(server.events).toMatchObject([{ event: 'fetched', keys: 3 }]);
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    const claims = { iss, aud: 'me', sub: 'u', exp: Math.floor(Date.now() / 1000) + 60 };
    for (const alg of ['RS256', 'RS384', 'RS512']) {
      expect(codeOf(await server.send(signToken(alg, rsa.privateKey, claims, { kid: 'k' })))).toEqual([
        200,
        'accepted',
      ]);
    }
  });

  it('tries each of two different keys with the same kid and algorithm', async () => {
    const [one, two, stranger] = [issuerKey('k'), issuerKey('k'), issuerKey('k')];
    const { server } = await setUp({ answer: json(setOf(one, two)) });
    expect(codeOf(await server.send(one.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(two.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(stranger.token()))).toEqual([401, 'INVALID_TOKEN']);
  });

  it('may have a key without a kid, which is tried for a token with a kid before the keys are fetched again', async () => {
    const [nameless, other, fresh] = [issuerKey('x'), issuerKey('other'), issuerKey('fresh')];
    const jwk = { ...nameless.jwk, kid: undefined };
    const { issuer, server } = await setUp({ answer: json({ keys: [jwk, other.jwk] }) });
    expect(codeOf(await server.send(nameless.token()))).toEqual([200, 'accepted']);
    expect(issuer.requests).toHaveLength(1);
    issuer.on('/jwks', json({ keys: [jwk, other.jwk, fresh.jwk] }));
    expect(codeOf(await server.send(fresh.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(issuerKey('y').token()))).toEqual([401, 'INVALID_TOKEN']);
    expect(server.refusals.at(-1)?.reason).toBe('signature_invalid');
    expect(issuer.requests).toHaveLength(3);
  });

  it('may start with a byte order mark', async () => {
    const key = issuerKey('a');
    const { server } = await setUp({ answer: status(200, {}, `\uFEFF${JSON.stringify(setOf(key))}`) });
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
  });
});

describe('the reason why keys could not be fetched', () => {
  const detailOf = async (answer: Respond): Promise<unknown> => {
    const { server } = await setUp({ answer, maxKeySetBytes: 10_000 });
    const { failure, detail } = server.events[0] as unknown as {
      failure: string;
      detail: { url?: string; fix?: string };
    };
    const { url, fix, ...rest } = detail;
    expect(fix).toMatch(/^[A-Z].{20}/);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/jwks$/);
    return [failure, rest];
  };
  const key = issuerKey('a');
  const publicJwk = (alg: string): object => ({ ...key.jwk, alg });

  it.each<readonly [string, Respond, readonly [string, object]]>([
    ['the status', status(404), ['status', { httpStatus: 404 }]],
    [
      'the target of a redirect, without its query',
      status(302, { location: 'https://login.example/keys?secret=1' }),
      ['redirect', { httpStatus: 302, location: 'https://login.example/keys' }],
    ],
    ['the encoding', status(200, { 'content-encoding': 'br' }), ['encoded', { httpStatus: 200, received: 'br' }]],
    ['the problem of the JSON', status(200, {}, '<html>'), ['not_json', { problem: sentence }]],
    [
      'the size',
      status(200, {}, ' '.repeat(20_000)),
      ['too_large', { problem: expect.stringContaining(' 10000 bytes') as string }],
    ],
    ['a single key', json(key.jwk), ['set_refused', { problem: sentence }]],
    [
      'the reason for each skipped key',
      json({
        keys: [
          publicJwk('RS384'),
          { ...key.jwk, use: 'jwt-svid' },
          { ...key.jwk, d: 'AA' },
          { ...key.jwk, crv: 'secp256k1' },
          { kty: 'RSA', e: 'AQAB', n: '+/+/', kid: 'with\nline' },
        ],
      }),
      [
        'no_usable_key',
        {
          leftOut: [
            {
              which: 'key 1 (kid a)',
              why: sentence,
              isBad: false,
            },
            { which: 'key 2 (kid a)', why: sentence, isBad: false },
            { which: 'key 3 (kid a)', why: sentence, isBad: true },
            { which: 'key 4 (kid a)', why: sentence, isBad: true },
            {
              which: 'key 5 (kid with\uFFFDline)',
              why: sentence,
              isBad: true,
            },
          ],
        },
      ],
    ],
  ])('includes %s', async (_title, answer, expected) => expect(await detailOf(answer)).toEqual(expected));

  it('includes the network error code and its fix', async () => {
    const issuer = await startKeyServer();
    await issuer.stop();
    const server = await startAuthnServer(
      issuersFrom(`- { issuer: ${iss}, audience: me, jwksUrl: '${issuer.url}/jwks?key=hidden' }`),
    );
    open.push(server);
    server.authenticator.start();
    await eventually(() => expect(server.events).toHaveLength(1));
    expect(server.events[0]).toMatchObject({
      failure: 'unreachable',
      detail: { url: `${issuer.url}/jwks`, errorCode: 'ECONNREFUSED', fix: expect.stringContaining('port') as string },
    });
  });

  it('is marked as repeated until it changes, and the recovery is reported', async () => {
    const { issuer, server } = await setUp({ answer: status(500), timings: { firstRetryMs: 10, cooldownMs: 10 } });
    const failures = () => server.events.filter(({ event }) => event === 'failed').map(({ repeated }) => repeated);
    await eventually(() => expect(failures().length).toBeGreaterThan(2));
    expect(failures().slice(0, 3)).toEqual([false, true, true]);
    issuer.on('/jwks', status(503));
    await eventually(() => expect(failures().slice(1)).toContain(false));
    issuer.on('/jwks', json(setOf(key)));
    await eventually(() => expect(server.events.at(-1)).toMatchObject({ event: 'fetched', recovered: true }));
  });
});

describe('an outage of the issuer', () => {
  it('does not affect known keys for six hours, then causes 503 and not ready, and ends without a restart', async () => {
    const key = issuerKey('a');
    const clock = movableClock();
    const { issuer, server } = await setUp({
      answer: json(setOf(key), { 'cache-control': 'no-store' }),
      clock,
      timings: { minRefreshMs: 30, cooldownMs: 30 },
    });
    const remembered = key.token({ jti: 'remembered' });
    expect(codeOf(await server.send(remembered))).toEqual([200, 'accepted']);
    await issuer.stop();
    await eventually(() => expect(server.events.filter(({ event }) => event === 'failed').length).toBeGreaterThan(1));
    expect(server.events.at(-1)).toMatchObject({ event: 'failed', iss, failure: 'unreachable', keysInUse: true });

    clock.forward(6 * hour - 60_000);
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(remembered))).toEqual([200, 'accepted']);
    expect(server.authenticator.ready()).toBe(true);

    clock.forward(60_000);
    expect(codeOf(await server.send(key.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    expect(codeOf(await server.send(remembered))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    expect(server.refusals.at(-1)?.reason).toBe('keys_unavailable');
    expect(server.authenticator.ready()).toBe(false);

    await issuer.restart();
    await eventually(() => expect(server.authenticator.ready()).toBe(true));
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
  });

  it('does not block known keys if the issuer hangs', async () => {
    const key = issuerKey('a');
    const clock = movableClock();
    const { issuer, server } = await setUp({ answer: json(setOf(key)), clock, timings: { timeoutMs: 15_000 } });
    issuer.on('/jwks', silent);
    clock.forward(30_000);
    const waiting = server.send(key.token({}, { kid: 'unknown' }));
    await eventually(() => expect(issuer.requests).toHaveLength(2));
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    expect(server.events.map(({ event }) => event)).toEqual(['fetched']);
    await issuer.stop();
    expect(codeOf(await waiting)).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
  });

  it('causes 503 for an unknown kid while known keys are used, and the failed fetches are counted', async () => {
    const key = issuerKey('a');
    const { issuer, server } = await setUp({ answer: json(setOf(key)), clock: movableClock(true) });
    issuer.on('/jwks', status(500));
    for (let index = 0; index < 20; index += 1) {
      expect(codeOf(await server.send(key.token({}, { kid: `x${index}` })))).toEqual([
        503,
        'AUTHENTICATION_UNAVAILABLE',
      ]);
    }
    expect(issuer.requests).toHaveLength(4);
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
  });

  it('does not stop the start: the service answers 503 and is not ready until it has the keys', async () => {
    const key = issuerKey('a');
    const { issuer, server } = await setUp({ answer: status(503), timings: { firstRetryMs: 50 } });
    expect(server.authenticator.ready()).toBe(false);
    expect(codeOf(await server.send(key.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    issuer.on('/jwks', json(setOf(key)));
    await eventually(() => expect(server.authenticator.ready()).toBe(true));
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
  });

  it('causes no request per token before the first successful fetch', async () => {
    const key = issuerKey('a');
    const { issuer, server } = await setUp({ answer: status(503), timings: { firstRetryMs: 60_000 } });
    for (let index = 0; index < 50; index += 1) {
      expect(codeOf(await server.send(key.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    }
    expect(issuer.requests).toHaveLength(1);
  });

  it('does not block the event loop afterwards, while it verifies the tokens that waited', async () => {
    const key = issuerKey('a');
    const { server } = await setUp({
      answer: (request, response) => void setTimeout(() => json(setOf(key))(request, response), 100),
      waitForKeys: false,
      prepareVerifiers: slowVerifiers,
    });
    let [verified, before, most] = [0, 0, 0];
    const watch = (): void => {
      most = Math.max(most, verified - before);
      before = verified;
      if (verified < 40) setImmediate(watch);
    };
    setImmediate(watch);
    const tokens = Array.from({ length: 40 }, (_, index) => key.token({ jti: index }));
    await Promise.all(
      tokens.map(async (token) => {
        await server.authenticate(token);
        verified += 1;
      }),
    );
    expect(verified).toBe(40);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('lets a token that arrives during the first fetch wait for it', async () => {
    const key = issuerKey('a');
    const { server } = await setUp({
      answer: (request, response) => void setTimeout(() => json(setOf(key))(request, response), 200),
      waitForKeys: false,
    });
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
  });

  it('affects only the users of this issuer', async () => {
    const here = issuerKey('a', 'https://here.example');
    const { server } = await setUp({
      answer: json(setOf(here)),
      yaml: (url) => `
- { issuer: 'https://here.example', audience: me, jwksUrl: '${url}/jwks' }
- { issuer: 'https://gone.example', audience: me, jwksUrl: '${url}/gone' }`,
    });
    await eventually(() => expect(server.events.length).toBe(2));
    expect(codeOf(await server.send(here.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(here.token({ iss: 'https://gone.example' })))).toEqual([
      503,
      'AUTHENTICATION_UNAVAILABLE',
    ]);
    expect(server.authenticator.ready()).toBe(true);
  });

  it('affects only the users of this issuer if several issuers of one host hang', async () => {
    const here = issuerKey('a', 'https://here.example');
    const issuer = await startKeyServer();
    open.push(issuer);
    const hanging = ['one', 'two', 'three', 'four'];
    for (const name of hanging) issuer.on(`/${name}`, silent);
    issuer.on('/jwks', json(setOf(here)));
    const entry = (name: string, path: string): string =>
      `- { issuer: 'https://${name}.example', audience: me, jwksUrl: '${issuer.url}/${path}' }\n`;
    const yaml = [...hanging.map((name) => entry(name, name)), entry('here', 'jwks')].join('');
    const server = await startAuthnServer(issuersFrom(yaml));
    open.push(server);
    server.authenticator.start();
    expect(codeOf(await server.send(here.token()))).toEqual([200, 'accepted']);
    expect(server.events).toMatchObject([{ event: 'fetched', iss: 'https://here.example' }]);
  });

  it('causes 503, not 401, if the six hours end during a fetch for an unknown kid', async () => {
    const key = issuerKey('a');
    const clock = movableClock(true);
    const { issuer, server } = await setUp({ answer: json(setOf(key)), clock });
    issuer.on('/jwks', (request, response) => {
      clock.forward(60_000);
      status(500)(request, response);
    });
    clock.forward(6 * hour - 30_000);
    expect(codeOf(await server.send(key.token({}, { kid: 'unknown' })))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    expect(issuer.requests).toHaveLength(2);
  });

  it('never lets the key of one issuer verify a token of another issuer', async () => {
    const [one, two] = [issuerKey('k', 'https://one.example'), issuerKey('k', 'https://two.example')];
    const { issuer, server } = await setUp({
      answer: json(setOf(one)),
      timings: { firstRetryMs: 20 },
      yaml: (url) => `
- { issuer: 'https://one.example', audience: me, jwksUrl: '${url}/jwks' }
- { issuer: 'https://two.example', audience: me, jwksUrl: '${url}/two' }`,
    });
    issuer.on('/two', json(setOf(two)));
    await eventually(() => {
      const ages = server.authenticator.keySetAges().map(({ ageMs }) => typeof ageMs);
      expect(ages).toEqual(['number', 'number']);
    });
    expect(codeOf(await server.send(one.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(two.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(one.token({ iss: 'https://two.example' })))).toEqual([401, 'INVALID_TOKEN']);
    expect(codeOf(await server.send(two.token({ iss: 'https://one.example' })))).toEqual([401, 'INVALID_TOKEN']);
  });
});

describe('a faulty issuer', () => {
  const key = issuerKey('a');
  const good = setOf(key);
  const good200 = JSON.stringify(good);

  const faults: readonly (readonly [string, Respond, string])[] = [
    ['answers nothing', silent, 'timeout'],
    ['answers slowly without end', dripping, 'timeout'],
    ['redirects', status(302, { location: '/elsewhere' }), 'redirect'],
    ['redirects permanently', status(308, { location: '/elsewhere' }, good200), 'redirect'],
    ['answers 300', status(300, {}, good200), 'redirect'],
    ['answers 399', status(399, {}, good200), 'redirect'],
    ['answers 400', status(400, {}, good200), 'status'],
    ['answers 404', status(404), 'status'],
    ['answers 500 with a good set', status(500, {}, good200), 'status'],
    ['answers 204', status(204), 'status'],
    ['compresses', status(200, { 'content-encoding': 'gzip' }, good200), 'encoded'],
    ['is too large', status(200, {}, `${good200}${' '.repeat(20_000)}`), 'too_large'],
    ['answers HTML', status(200, { 'content-type': 'text/html' }, '<html>'), 'not_json'],
    ['answers nothing with 200', status(200), 'not_json'],
    ['answers a list', json([key.jwk]), 'not_json'],
    ['repeats a member', status(200, {}, good200.replace('{', '{"keys":[],')), 'not_json'],
    ['answers another document', json({ jwks: [] }), 'set_refused'],
    ['has keys that are a map', json({ keys: { a: key.jwk } }), 'set_refused'],
    ['has too many keys', json({ keys: Array.from({ length: 101 }, () => 1) }), 'set_refused'],
    ['has no key', json({ keys: [] }), 'no_usable_key'],
    [
      'has no usable key',
      json({
        keys: [
          { ...key.jwk, use: 'enc' },
          { kty: 'oct', k: 'AA' },
        ],
      }),
      'no_usable_key',
    ],
    ['has only keys for other algorithms', json({ keys: [{ ...key.jwk, alg: 'PS512' }] }), 'no_usable_key'],
    [
      'closes the connection during the body',
      (_q, response) => void response.writeHead(200, { 'content-length': '500' }).write('{', () => response.destroy()),
      'unreachable',
    ],
    ['does not answer with HTTP', (request) => void request.socket.end('hello\r\n\r\n'), 'unreachable'],
  ];

  it.each(faults)('that %s has no effect on users while older keys are used', async (_title, answer, failure) => {
    const clock = movableClock();
    const { issuer, server } = await setUp({
      answer: json(good),
      clock,
      timings: { timeoutMs: failure === 'timeout' ? 1_000 : 15_000 },
      maxKeySetBytes: 10_000,
    });
    issuer.on('/jwks', answer);
    issuer.on('/elsewhere', json(setOf(issuerKey('evil'))));
    clock.forward(30_000);
    const started = performance.now();
    expect(codeOf(await server.send(key.token({}, { kid: 'unknown' })))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    expect(performance.now() - started).toBeLessThan(failure === 'timeout' ? 5_000 : 15_000);
    expect(server.events.at(-1)).toMatchObject({ event: 'failed', failure, keysInUse: true });
    expect(codeOf(await server.send(key.token({ jti: 'next' })))).toEqual([200, 'accepted']);
    expect(issuer.requests).not.toContain('/elsewhere');
    expect(server.bugs).toEqual([]);
  });

  it('that continues to send after a refusal loses the connection', async () => {
    let closed = false;
    const { server } = await setUp({
      answer: (_request, response) => {
        response.writeHead(500, { 'content-type': 'text/plain' });
        const timer = setInterval(() => response.write('x'.repeat(1_000)), 20);
        response.on('close', () => {
          clearInterval(timer);
          closed = true;
        });
      },
      timings: { timeoutMs: 60_000, firstRetryMs: 60_000 },
    });
    expect(server.events).toMatchObject([{ event: 'failed', failure: 'status' }]);
    await eventually(() => expect(closed).toBe(true));
  });

  it.each(faults)('that %s from the start causes 503 for its users', async (_title, answer, failure) => {
    const timings = { timeoutMs: failure === 'timeout' ? 150 : 15_000 };
    const { server } = await setUp({ answer, timings, maxKeySetBytes: 10_000 });
    expect(server.events[0]).toMatchObject({ event: 'failed', failure, keysInUse: false });
    expect(codeOf(await server.send(key.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
  });
});

describe('discovery', () => {
  const metadata = (url: string, changes: Record<string, unknown> = {}) => ({
    issuer: url,
    jwks_uri: `${url}/jwks`,
    ...changes,
  });
  const path = '/.well-known/openid-configuration';

  async function discover(
    make: (url: string) => Respond,
    timings: Partial<KeySetTimings> = {},
    clock = movableClock(),
  ) {
    const issuer = await startKeyServer();
    open.push(issuer);
    const key = issuerKey('a', issuer.url);
    issuer.on('/jwks', json(setOf(key)));
    issuer.on(path, make(issuer.url));
    const server = await startAuthnServer(issuersFrom(`- { issuer: '${issuer.url}', audience: me }`), {
      timings: { timeoutMs: 15_000, ...timings },
      clock,
    });
    open.push(server);
    server.authenticator.start();
    await eventually(() => expect(server.events.length).toBeGreaterThan(0));
    return { issuer, server, key, clock };
  }

  it('finds the keys with the issuer only', async () => {
    const { issuer, server, key } = await discover((url) => json(metadata(url)));
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    expect(issuer.requests).toEqual([path, '/jwks']);
  });

  it('needs one request for an unknown kid, and is repeated after one hour', async () => {
    const { issuer, server, key, clock } = await discover((url) => json(metadata(url)));
    clock.forward(30_000);
    await server.send(key.token({}, { kid: 'x' }));
    expect(issuer.requests).toEqual([path, '/jwks', '/jwks']);
    clock.forward(hour);
    await server.send(key.token({}, { kid: 'x' }));
    expect(issuer.requests).toEqual([path, '/jwks', '/jwks', path, '/jwks']);
  });

  it('uses the new key set address of the issuer when the old one fails', async () => {
    const { issuer, server, key } = await discover((url) => json(metadata(url)));
    issuer.on('/jwks', status(410));
    const moved = issuerKey('moved', issuer.url);
    issuer.on('/moved', json(setOf(moved)));
    issuer.on(path, json(metadata(issuer.url, { jwks_uri: `${issuer.url}/moved` })));
    expect(codeOf(await server.send(moved.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
    expect(codeOf(await server.send(key.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(moved.token()))).toEqual([200, 'accepted']);
  });

  it.each([
    ['of another issuer', { issuer: 'https://other.example' }, 'issuer_mismatch'],
    ['of the same issuer with a slash', { issuer: 'with-slash' }, 'issuer_mismatch'],
    ['without an issuer', { issuer: undefined }, 'issuer_mismatch'],
    ['with a list as issuer', { issuer: ['x'] }, 'issuer_mismatch'],
    ['without a key set address', { jwks_uri: undefined }, 'address_refused'],
    ['with a number as key set address', { jwks_uri: 1 }, 'address_refused'],
    ['with http keys of another machine', { jwks_uri: 'http://keys.example/jwks' }, 'address_refused'],
    ['with keys in a file', { jwks_uri: 'file:///etc/passwd' }, 'address_refused'],
    ['with keys in a data address', { jwks_uri: 'data:application/json,{}' }, 'address_refused'],
    ['with a password in the key set address', { jwks_uri: 'https://a:b@keys.example/jwks' }, 'address_refused'],
  ])('refuses metadata %s', async (_title, changes, failure) => {
    const { issuer, server, key } = await discover((url) =>
      json(metadata(url, 'issuer' in changes && changes.issuer === 'with-slash' ? { issuer: `${url}/` } : changes)),
    );
    expect(server.events).toMatchObject([{ event: 'failed', failure }]);
    expect(issuer.requests).toEqual([path]);
    expect(codeOf(await server.send(key.token()))).toEqual([503, 'AUTHENTICATION_UNAVAILABLE']);
  });

  it('does not follow a redirect of the metadata', async () => {
    const { issuer, server } = await discover((url) => status(301, { location: `${url}/elsewhere` }));
    issuer.on('/elsewhere', json(metadata(issuer.url)));
    expect(server.events).toMatchObject([{ event: 'failed', failure: 'redirect' }]);
    expect(issuer.requests).toEqual([path]);
  });

  it.each([
    ['hangs', silent],
    ['answers slowly', dripping],
    ['fails', status(500)],
    ['redirects', status(302, { location: '/elsewhere' })],
  ])('fetches the keys from the old address while the metadata %s', async (_title, trouble) => {
    const { issuer, server, key, clock } = await discover((url) => json(metadata(url)), { timeoutMs: 3_000 });
    const fresh = issuerKey('fresh', issuer.url);
    issuer.on('/jwks', json(setOf(fresh)));
    issuer.on(path, trouble);
    clock.forward(hour);
    expect(codeOf(await server.send(fresh.token()))).toEqual([200, 'accepted']);
    expect(codeOf(await server.send(key.token()))).toEqual([401, 'INVALID_TOKEN']);
    expect(issuer.requests).toEqual([path, '/jwks', path, '/jwks']);
  });

  it('has one deadline for metadata and keys', async () => {
    const { server } = await discover(
      (url) => (request, response) => void setTimeout(() => json(metadata(url))(request, response), 200),
      { timeoutMs: 150 },
    );
    expect(server.events).toMatchObject([{ event: 'failed', failure: 'timeout' }]);
  });
});

describe('closing', () => {
  it('ends a running fetch and starts no other one', async () => {
    const { issuer, server } = await setUp({ answer: silent, waitForKeys: false, timings: { firstRetryMs: 10 } });
    await eventually(() => expect(issuer.requests).toHaveLength(1));
    await server.authenticator.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(issuer.requests).toHaveLength(1);
    expect(server.events).toEqual([]);
  });
});
