import { describe, expect, it } from 'vitest';
import { jwksUriOf } from '../../../src/authn/key-set-source.ts';

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
