import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { IssuerConfig } from '../../../src/authn/issuer.ts';
import { KeySetError, type KeySetFailure } from '../../../src/authn/key-set-error.ts';
import { fromDiscovery, jwksUriOf } from '../../../src/authn/key-set-source.ts';
import type { JsonObject } from '../../../src/strict-json.ts';

const iss = 'https://issuer.example';
const here = 'http://127.0.0.1:1/.well-known/openid-configuration';
const there = `${iss}/.well-known/openid-configuration`;
const uriOf = (jwksUri: unknown, metadataUrl = there, issuer: unknown = iss): string =>
  jwksUriOf({ issuer, jwks_uri: jwksUri }, iss, metadataUrl);

describe('the address of keys in metadata', () => {
  it('may be any https address', () => {
    expect(uriOf('https://keys.example/a?b=c')).toBe('https://keys.example/a?b=c');
    expect(uriOf('https://keys.example/', here)).toBe('https://keys.example/');
  });

  it('may be on this machine only if the issuer is', () => {
    expect(uriOf('http://localhost:9/keys', here)).toBe('http://localhost:9/keys');
    expect(() => uriOf('http://localhost:9/keys')).toThrow('address_refused');
    expect(uriOf('https://[::1]:9/keys', here)).toBe('https://[::1]:9/keys');
    for (const uri of [
      'http://127.0.0.1:9090/metrics',
      'https://127.0.0.1/k',
      'https://localhost/k',
      'https://[::1]/k',
    ]) {
      expect(() => uriOf(uri)).toThrow('address_refused');
    }
  });

  it('counts only if the metadata is about this issuer, as its own member', () => {
    expect(() => uriOf('https://keys.example/', there, `${iss}/`)).toThrow('issuer_mismatch');
    const inherited = Object.create({ issuer: iss, jwks_uri: 'https://keys.example/' }) as Record<string, unknown>;
    expect(() => jwksUriOf(inherited, iss, there)).toThrow('issuer_mismatch');
    expect(() => jwksUriOf(Object.assign(inherited, { issuer: iss }), iss, there)).toThrow('address_refused');
  });
});

describe('discovery', () => {
  const jwk = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'a' };
  const keys = 'https://keys.example/';

  /** An issuer whose answers are these, and what was asked of it. */
  function discovering(answers: { keySet: () => object }) {
    const asked: string[] = [];
    const clock = { now: 0 };
    const fetch = fromDiscovery(
      { iss, algorithms: ['EdDSA'] } as unknown as IssuerConfig,
      there,
      {
        fetch: async (url) => {
          asked.push(url === there ? 'metadata' : url);
          return { document: (url === there ? { issuer: iss, jwks_uri: keys } : answers.keySet()) as JsonObject };
        },
        close: async () => undefined,
      },
      { rediscoverMs: 1_000, monotonic: () => clock.now },
    );
    return { asked, clock, fetch: () => fetch(AbortSignal.timeout(1_000)) };
  }

  it('is asked again when its answer is as old as it may be, not before', async () => {
    const { asked, clock, fetch } = discovering({ keySet: () => ({ keys: [jwk] }) });
    for (clock.now of [0, 999, 1_000, 1_999]) await fetch();
    expect(asked).toEqual(['metadata', keys, keys, 'metadata', keys, keys]);
  });

  it.each([
    ['not a set', { keys: 'x' }, 'set_refused'],
    ['of no use', { keys: [] }, 'no_usable_key'],
  ])('is asked again when the keys from there are %s', async (_title, bad, failure) => {
    let answer: object = bad;
    const { asked, fetch } = discovering({ keySet: () => answer });
    await expect(fetch()).rejects.toThrow(new KeySetError(failure as KeySetFailure));
    answer = { keys: [jwk] };
    expect((await fetch()).keys.map(({ kid }) => kid)).toEqual(['a']);
    expect(asked).toEqual(['metadata', keys, 'metadata', keys]);
  });
});
