// Which addresses keys may be fetched from.
import { describe, expect, it } from 'vitest';
import { isLoopback, trustedUrl } from '../../src/trusted-url.ts';
import { discoveryUrl } from '../../src/authn/issuer.ts';

describe('a trusted URL', () => {
  it.each([
    'https://keys.example/jwks?a=b',
    'http://localhost:8080/jwks',
    'http://127.0.0.1/jwks',
    'http://127.255.0.9/jwks',
    'http://[::1]:9/jwks',
  ])('may be %s', (address) => {
    expect(trustedUrl(address, false)?.href).toBe(address);
  });

  it.each([
    'http://keys.example/',
    'http://notlocalhost/',
    'http://localhost.example/',
    'http://evil-127.0.0.1.example/',
    'http://127.0.0.1.example/',
    'http://[::2]/',
    'https://user@keys.example/',
    'https://user:secret@keys.example/',
    'ftp://localhost/',
    'file:///etc/passwd',
    'keys.example',
    '',
  ])('must not be %s', (address) => {
    expect(trustedUrl(address, false)).toBeUndefined();
  });

  it('may be any http URL if the setting allows it, and no other scheme', () => {
    expect(trustedUrl('http://keycloak:8080/jwks', true)?.href).toBe('http://keycloak:8080/jwks');
    for (const address of ['http://user@keys.example/', 'http://keys.example/#a', 'ftp://keys.example/', 'keys']) {
      expect(trustedUrl(address, true)).toBeUndefined();
    }
  });

  it('is local only for exactly these names', () => {
    const local = ['http://localhost/', 'https://127.0.0.1/', 'https://[::1]/'];
    const others = ['https://xlocalhost/', 'https://localhostx/', 'https://a.127.0.0.1.example/'];
    expect(local.map((address) => isLoopback(new URL(address)))).toEqual([true, true, true]);
    expect(others.map((address) => isLoopback(new URL(address)))).toEqual([false, false, false]);
  });
});

describe('the URL of metadata', () => {
  it.each([
    ['https://issuer.example', 'https://issuer.example/.well-known/openid-configuration'],
    ['https://issuer.example/', 'https://issuer.example/.well-known/openid-configuration'],
    ['https://issuer.example/realms/a', 'https://issuer.example/realms/a/.well-known/openid-configuration'],
  ])('is derived from %s', (iss, url) => expect(discoveryUrl(iss, false)?.href).toBe(url));

  it.each([
    'https://issuer.example/?',
    'https://issuer.example/?tenant=a',
    'https://issuer.example/#a',
    'urn:issuer',
    'http://issuer.example',
  ])('is not derived from %s', (iss) => expect(discoveryUrl(iss, false)).toBeUndefined());
});
