import { describe, expect, it } from 'vitest';
import { createBypass, unusableEntries } from '../../../src/egress/no-proxy.ts';

const bypasses = (noProxy: string, url: string): boolean => createBypass(noProxy)(new URL(url));

describe('NO_PROXY', () => {
  it.each([
    ['', 'https://example.com/', false],
    ['*', 'https://example.com/', true],
    ['example.com', 'https://example.com/', true],
    ['example.com', 'https://api.example.com/', true],
    ['example.com', 'https://EXAMPLE.com./', true],
    ['example.com', 'https://notexample.com/', false],
    ['example.com', 'https://example.com.evil.test/', false],
    ['.example.com', 'https://example.com/', true],
    ['.example.com', 'https://api.example.com/', true],
    ['*.example.com', 'https://api.example.com/', true],
    ['*.example.com', 'https://example.com/', false],
    ['other.test, example.com', 'https://example.com/', true],
    ['other.test example.com', 'https://example.com/', true],
    ['example.com:8443', 'https://example.com:8443/', true],
    ['example.com:8443', 'https://example.com/', false],
    ['example.com:443', 'https://example.com/', true],
    ['example.com:80', 'http://example.com/', true],
    ['localhost', 'http://localhost:8080/', true],
    ['localhost', 'http://127.0.0.1:8080/', false],
    ['127.0.0.1', 'http://127.0.0.1:8080/', true],
    ['10.0.0.0/8', 'https://10.20.30.40/', true],
    ['10.0.0.0/8', 'https://11.0.0.1/', false],
    ['10.0.0.0/8', 'https://ten.example.com/', false],
    ['::1', 'https://[::1]:8443/', true],
    ['[::1]', 'https://[::1]/', true],
    ['[::1]:8443', 'https://[::1]:8443/', true],
    ['[::1]:8443', 'https://[::1]/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['fd00::/8', 'https://[fe80::1]/', false],
    ['svc.cluster.local', 'http://keycloak.auth.svc.cluster.local:8080/', true],
  ])('with %j and %s: %s', (noProxy, url, expected) => {
    expect(bypasses(noProxy, url)).toBe(expected);
  });

  it.each([
    ['example.com, .example.com *.example.com,localhost:80,10.0.0.0/8,::1,[::1]:443,*', []],
    ['https://example.com', ['https://example.com']],
    ['10.0.0.0/33, 10.0.0/8, fd00::/129', ['10.0.0.0/33', '10.0.0/8', 'fd00::/129']],
    ['exa mple!', ['mple!']],
    ['*example.com', ['*example.com']],
  ])('finds the invalid entries in %j', (noProxy, expected) => {
    expect(unusableEntries(noProxy)).toEqual(expected);
  });
});
