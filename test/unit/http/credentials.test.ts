import { describe, expect, it } from 'vitest';
import { readCredential, type CredentialOptions } from '../../../src/http/credentials.ts';

const page = 'https://app.example.com';
const own = 'https://proxy.example.com';

const read = (headers: readonly (readonly [string, string])[], options: Partial<CredentialOptions> = {}): unknown => {
  const found = readCredential(
    { rawHeaders: headers.flat(), ownOrigin: own },
    { isAllowedOrigin: (origin) => origin === page, ...options },
  );
  return typeof found === 'string' ? found : `${found.code} ${found.reason}`;
};

describe('the Authorization header', () => {
  it.each(['Bearer a.b.c', 'bearer a.b.c', 'BEARER  a.b.c'])('gives the token of %j', (value) => {
    expect(read([['authorization', value]])).toBe('a.b.c');
    expect(
      read([
        ['X-Other', 'x'],
        ['AUTHORIZATION', value],
      ]),
    ).toBe('a.b.c');
  });

  it.each(['Basic dTpw', 'a.b.c', 'Bearera.b.c', ''])('counts as none with another scheme: %j', (value) => {
    expect(read([['authorization', value]])).toBe('AUTHENTICATION_REQUIRED credentials_malformed');
  });

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a.b.c,', 'Bearer =a', 'Bearer "a"', 'Bearer a\nb', 'Bearer \na'])(
    'is invalid with what is no token: %j',
    (value) => {
      expect(read([['authorization', value]])).toBe('INVALID_TOKEN credentials_malformed');
    },
  );

  it('may stand once only', () => {
    expect(
      read([
        ['authorization', 'Bearer a'],
        ['Authorization', 'Bearer a'],
      ]),
    ).toBe('INVALID_REQUEST credentials_ambiguous');
  });

  it('is the only place that is read, unless another one is set', () => {
    expect(
      read([
        ['cookie', 'jwt=a.b.c'],
        ['x-jwt', 'a.b.c'],
        ['authorizatiom', 'Bearer a.b.c'],
        ['origin', page],
      ]),
    ).toBe('AUTHENTICATION_REQUIRED credentials_missing');
  });
});

describe('a cookie', () => {
  const cookie = { cookieName: 'jwt' };
  const from = ['origin', page] as const;

  it.each(['jwt=a.b.c', 'other=1; jwt=a.b.c', ' jwt=a.b.c ;x=y', 'jwt=a.b.c; ajwt=no; jwt2=no'])(
    'gives the token of %j',
    (value) => expect(read([['cookie', value], from], cookie)).toBe('a.b.c'),
  );

  it('keeps everything behind the first equals sign', () => {
    expect(read([['cookie', 'jwt=abc=='], from], cookie)).toBe('abc==');
  });

  it.each(['jwt=a; jwt=b', 'jwt=a; jwt=a', 'jwt=a; jwt='])('may stand once only: %j', (value) => {
    expect(read([['cookie', value], from], cookie)).toBe('INVALID_REQUEST credentials_ambiguous');
  });

  it('and an Authorization header are one too many', () => {
    expect(read([['cookie', 'jwt=a'], ['authorization', 'Bearer a'], from], cookie)).toBe(
      'INVALID_REQUEST credentials_ambiguous',
    );
  });

  it('that is empty counts as none', () => {
    expect(read([['cookie', 'jwt='], from], cookie)).toBe('AUTHENTICATION_REQUIRED credentials_missing');
    expect(read([['cookie', 'jwt='], ['authorization', 'Bearer a'], from], cookie)).toBe('a');
  });

  it('that is no token is invalid', () => {
    expect(read([['cookie', 'jwt=a b'], from], cookie)).toBe('INVALID_TOKEN credentials_malformed');
  });

  it.each([
    [['sec-fetch-site', 'same-origin']],
    [['origin', page]],
    [['origin', own]],
    [
      ['sec-fetch-site', 'cross-site'],
      ['origin', page],
    ],
  ] as const)('counts from a page that may send it: %j', (...headers) => {
    expect(read([['cookie', 'jwt=a'], ...headers], cookie)).toBe('a');
  });

  it.each([
    [],
    [['origin', 'https://evil.example']],
    [['origin', 'null']],
    [['sec-fetch-site', 'same-site']],
    [['sec-fetch-site', 'none']],
    [
      ['sec-fetch-site', 'same-origin'],
      ['sec-fetch-site', 'cross-site'],
    ],
    [
      ['origin', page],
      ['origin', 'https://evil.example'],
    ],
  ] as const)('does not count from any other: %j', (...headers) => {
    expect(read([['cookie', 'jwt=a'], ...headers], cookie)).toBe('ORIGIN_NOT_ALLOWED origin_refused');
  });
});

describe("a gateway's header", () => {
  const gateway = { headerName: 'x-jwt' };
  const from = ['origin', page] as const;

  it('gives its token, and the origin rule holds for it', () => {
    expect(read([['X-JWT', 'a.b.c'], from], gateway)).toBe('a.b.c');
    expect(read([['X-JWT', 'a.b.c']], gateway)).toBe('ORIGIN_NOT_ALLOWED origin_refused');
  });

  it('stands in place of Authorization', () => {
    expect(read([['authorization', 'Bearer a'], from], gateway)).toBe('AUTHENTICATION_REQUIRED credentials_missing');
    expect(read([['authorization', 'Bearer a'], ['x-jwt', 'a'], from], gateway)).toBe(
      'INVALID_REQUEST credentials_ambiguous',
    );
  });

  it('may stand once only, and not beside the cookie', () => {
    expect(read([['x-jwt', 'a'], ['x-jwt', ''], from], gateway)).toBe('INVALID_REQUEST credentials_ambiguous');
    expect(read([['x-jwt', 'a'], ['cookie', 'jwt=a'], from], { ...gateway, cookieName: 'jwt' })).toBe(
      'INVALID_REQUEST credentials_ambiguous',
    );
  });

  it('that is empty counts as none', () => {
    expect(read([['x-jwt', ''], from], gateway)).toBe('AUTHENTICATION_REQUIRED credentials_missing');
  });
});
