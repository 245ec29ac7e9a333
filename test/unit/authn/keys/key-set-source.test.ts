import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { IssuerConfig } from '../../../../src/authn/issuer.ts';
import {
  failedFetch,
  isFailedFetch,
  type FailedFetch,
  type KeySetFailure,
} from '../../../../src/authn/keys/key-set-failure.ts';
import { fromDiscovery, jwksUriOf } from '../../../../src/authn/keys/key-set-source.ts';
import type { JsonObject } from '../../../../src/strict-json.ts';
import { sentenceOf } from '../../../support/sentences/name-sentence.ts';

const iss = 'https://issuer.example';
const config = (allowHttp = false): IssuerConfig =>
  ({ iss, algorithms: ['EdDSA'], allowHttp }) as unknown as IssuerConfig;
const here = 'http://127.0.0.1:1/.well-known/openid-configuration';
const there = `${iss}/.well-known/openid-configuration`;
const uriOf = (jwksUri: unknown, metadataUrl = there, issuer: unknown = iss): string | FailedFetch =>
  jwksUriOf({ issuer, jwks_uri: jwksUri }, config(), metadataUrl);

describe('the key set address in metadata', () => {
  it('may be any https address', () => {
    expect(uriOf('https://keys.example/a?b=c')).toBe('https://keys.example/a?b=c');
    expect(uriOf('https://keys.example/', here)).toBe('https://keys.example/');
    for (const host of [
      'notlocalhost',
      'localhost.example',
      '[::2]',
      '[::ffff:8.8.8.8]',
      '0.example.com',
      '127.example.com',
      '10.0.0.1',
      '1127.0.0.1.example',
    ]) {
      expect(uriOf(`https://${host}/k`)).toMatch(/^https:.*\/k$/);
    }
  });

  it('may be on this machine only if the issuer is', () => {
    expect(uriOf('http://localhost:9/keys', here)).toBe('http://localhost:9/keys');
    expect(uriOf('http://localhost:9/keys')).toMatchObject({
      failure: 'address_refused',
    });
    expect(uriOf('https://[::1]:9/keys', here)).toBe('https://[::1]:9/keys');
    expect(uriOf('https://auth.localhost/keys', 'https://auth.localhost/x')).toBe('https://auth.localhost/keys');
    for (const uri of [
      'https://0.0.0.0/k',
      'https://0.1.2.3/k',
      'https://[::]/k',
      'https://[::ffff:127.0.0.1]/k',
      'https://[::ffff:127.1.2.3]/k',
      'https://[::ffff:0.0.0.0]/k',
      'https://[::ffff:0.1.2.3]/k',
      'https://localhost./k',
      'https://x.localhost/k',
      'https://x.localhost./k',
      'https://127.1/k',
      'http://127.0.0.1:9090/metrics',
      'https://127.0.0.1/k',
      'https://localhost/k',
      'https://[::1]/k',
    ]) {
      expect(uriOf(uri)).toMatchObject({ failure: 'address_refused' });
    }
  });

  it('is used only if the metadata names this issuer in a member of its own', () => {
    expect(uriOf('https://keys.example/', there, `${iss}/`)).toMatchObject({
      failure: 'issuer_mismatch',
    });
    const inherited = Object.create({
      issuer: iss,
      jwks_uri: 'https://keys.example/',
    }) as Record<string, unknown>;
    expect(jwksUriOf(inherited, config(), there)).toMatchObject({
      failure: 'issuer_mismatch',
    });
    const named = Object.assign(inherited, { issuer: iss });
    expect(jwksUriOf(named, config(), there)).toMatchObject({
      failure: 'address_refused',
    });
  });
});

describe('metadata that cannot be used', () => {
  const detailOf = (found: string | FailedFetch): unknown => (typeof found === 'string' ? found : found.detail);

  it('is reported with both issuers, or with the refused address', () => {
    expect(detailOf(uriOf('https://keys.example/', `${there}?a=b`, `${iss}/`))).toMatchObject({
      url: there,
      received: `${iss}/`,
      expected: iss,
    });
    expect(detailOf(uriOf('http://keys.example/k?secret=1'))).toEqual({
      url: there,
      received: 'http://keys.example/k',
      problem: sentenceOf('notHttps', 'jwks_uri'),
      fix: expect.stringContaining('JWT_JWKS_URL') as string,
    });
    expect(detailOf(uriOf('https://127.0.0.1/k'))).toMatchObject({
      problem: sentenceOf('jwksUriLoopback'),
    });
    expect(detailOf(uriOf({ a: '\n' }))).toMatchObject({
      received: '{"a":"\\n"}',
    });
  });

  it('may name http addresses if the setting for it is true', () => {
    const document = { issuer: iss, jwks_uri: 'http://keys.internal/k' };
    expect(jwksUriOf(document, config(true), there)).toBe('http://keys.internal/k');
    const here = { issuer: iss, jwks_uri: 'http://127.0.0.1/k' };
    expect(jwksUriOf(here, config(true), there)).toMatchObject({
      failure: 'address_refused',
    });
  });
});

describe('discovery', () => {
  const jwk = {
    ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }),
    kid: 'a',
  };
  const keys = 'https://keys.example/';
  const metadata = { issuer: iss, jwks_uri: keys };
  const failing = (failure: KeySetFailure) => (): FailedFetch => failedFetch(failure);

  const hangs = (): never => {
    throw new Error('is not called');
  };

  /** An issuer whose answers the test sets, with a record of its requests. */
  function discovering() {
    const requests: string[] = [];
    const clock = { now: 0 };
    const answers: { metadata: () => object; keySet: () => object } = {
      metadata: () => metadata,
      keySet: () => ({ keys: [jwk] }),
    };
    const fetch = fromDiscovery(
      config(),
      there,
      {
        fetch: async (url, signal) => {
          requests.push(url === there ? 'metadata' : url);
          if (url === there && answers.metadata === hangs) {
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            return failedFetch('timeout');
          }
          if (signal.aborted) return failedFetch('timeout');
          const answer = url === there ? answers.metadata() : answers.keySet();
          return isFailedFetch(answer) ? answer : { document: answer as JsonObject };
        },
        close: async () => undefined,
      },
      {
        rediscoverMs: 6_000,
        metadataTimeoutMs: 20,
        monotonic: () => clock.now,
      },
    );
    return {
      requests,
      clock,
      answers,
      fetch: () => fetch(AbortSignal.timeout(1_000)),
    };
  }

  it('fetches the metadata again as soon as it expires, and not before', async () => {
    const { requests, clock, fetch } = discovering();
    for (clock.now of [0, 5_999, 6_000, 11_999]) await fetch();
    expect(requests).toEqual(['metadata', keys, keys, 'metadata', keys, keys]);
  });

  it.each([
    ['not a key set', { keys: 'x' }, 'set_refused'],
    ['all unusable', { keys: [] }, 'no_usable_key'],
  ] as const)('fetches the metadata again when the keys at its address are %s', async (_title, bad, failure) => {
    const { requests, answers, fetch } = discovering();
    answers.keySet = () => bad;
    expect(await fetch()).toMatchObject({ failure });
    answers.keySet = () => ({ keys: [jwk] });
    expect(await fetch()).toMatchObject({ keys: [{ kid: 'a' }] });
    expect(requests).toEqual(['metadata', keys, 'metadata', keys]);
  });

  it.each(['timeout', 'unreachable', 'status', 'redirect', 'too_large', 'encoded', 'not_json'] as const)(
    'uses the old metadata for a while when it cannot fetch new metadata: %s',
    async (failure) => {
      const { requests, clock, answers, fetch } = discovering();
      await fetch();
      answers.metadata = failing(failure);
      requests.length = 0;
      for (clock.now of [6_000, 6_999, 7_000]) await fetch();
      expect(requests).toEqual(['metadata', keys, keys, 'metadata', keys]);
      answers.metadata = () => metadata;
      requests.length = 0;
      for (clock.now of [8_000, 13_999]) await fetch();
      expect(requests).toEqual(['metadata', keys, keys]);
    },
  );

  it('still fetches the keys in time when the metadata request hangs', async () => {
    const { requests, clock, answers, fetch } = discovering();
    await fetch();
    answers.metadata = hangs;
    requests.length = 0;
    for (clock.now of [6_000, 6_999, 7_000]) await fetch();
    expect(requests).toEqual(['metadata', keys, keys, 'metadata', keys]);
  });

  it('waits for the first metadata as long as a fetch may take', async () => {
    const { answers, fetch } = discovering();
    answers.metadata = hangs;
    const start = performance.now();
    expect(await fetch()).toMatchObject({ failure: 'timeout' });
    expect(performance.now() - start).toBeGreaterThan(900);
  });

  it('keeps the address while it can fetch neither metadata nor keys', async () => {
    const { requests, clock, answers, fetch } = discovering();
    await fetch();
    answers.metadata = answers.keySet = failing('unreachable');
    clock.now = 6_000;
    expect(await fetch()).toMatchObject({ failure: 'unreachable' });
    answers.keySet = () => ({ keys: [jwk] });
    requests.length = 0;
    await fetch();
    expect(requests).toEqual(['metadata', keys]);
  });

  it.each([
    ['issuer_mismatch', { issuer: 'https://other.example', jwks_uri: keys }],
    ['address_refused', { issuer: iss, jwks_uri: 'http://keys.example/' }],
  ] as const)('discards the address when new metadata is refused: %s', async (failure, changed) => {
    const { requests, clock, answers, fetch } = discovering();
    await fetch();
    answers.metadata = () => changed;
    clock.now = 6_000;
    expect(await fetch()).toMatchObject({ failure });
    answers.metadata = failing('unreachable');
    requests.length = 0;
    expect(await fetch()).toMatchObject({ failure: 'unreachable' });
    expect(requests).toEqual(['metadata']);
  });

  it('reports a failure when the first metadata cannot be fetched', async () => {
    const { requests, answers, fetch } = discovering();
    answers.metadata = failing('status');
    expect(await fetch()).toMatchObject({ failure: 'status' });
    expect(requests).toEqual(['metadata']);
  });
});
