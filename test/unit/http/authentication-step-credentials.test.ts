import { describe, expect, it } from 'vitest';
import { type CredentialOptions, readCredential } from '../../../src/http/authentication-step.ts';

const ownOrigin = 'https://proxy.example';
const isAllowedOrigin = (origin: string): boolean => origin === 'https://app.example';
const cookies: CredentialOptions = { cookieName: 'session', isAllowedOrigin };
const noCookies: CredentialOptions = { isAllowedOrigin };

type Lines = readonly (readonly [string, string])[];
const read = (lines: Lines, options = noCookies) => readCredential({ rawHeaders: lines.flat(), ownOrigin }, options);
function refused(lines: Lines, options = noCookies): string {
  const result = read(lines, options);
  return typeof result === 'string' ? `accepted ${result}` : `${result.code} ${result.reason}`;
}

describe('the Authorization header', () => {
  it.each([
    ['Bearer a.b.c', 'a.b.c'],
    ['bearer a.b.c', 'a.b.c'],
    ['BEARER a.b.c', 'a.b.c'],
    ['Bearer   a.b.c', 'a.b.c'],
    ['Bearer a-b_c~d+e/f==', 'a-b_c~d+e/f=='],
  ])('%j contains the token', (value, token) => {
    expect(read([['Authorization', value]])).toBe(token);
    expect(
      read([
        ['host', 'x'],
        ['aUTHORIZATION', value],
        ['accept', '*/*'],
      ]),
    ).toBe(token);
  });

  it.each([
    '',
    'Basic dXNlcjpwYXNz',
    'a.b.c',
    'Bearera.b.c',
    'Token a.b.c',
    'Bearer\ta.b.c',
    ' Bearer a.b.c',
    'DPoP a.b.c',
  ])('%j is not a bearer token: AUTHENTICATION_REQUIRED', (value) => {
    expect(refused([['Authorization', value]])).toBe('AUTHENTICATION_REQUIRED credentials_malformed');
  });

  it.each([
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a.b.c, Bearer d.e.f',
    'Bearer a.b.c,',
    'Bearer "a.b.c"',
    'Bearer a=b',
    'Bearer \ta.b.c',
    'Bearer a.b.c\t',
    'Bearer =',
    'Bearer token="a.b.c"',
    'Bearer é',
  ])('%j contains an invalid token: INVALID_TOKEN', (value) => {
    expect(refused([['Authorization', value]])).toBe('INVALID_TOKEN credentials_malformed');
  });

  it('that is repeated is refused, even with the same token', () => {
    for (const name of ['authorization', 'Authorization', 'AUTHORIZATION']) {
      const lines: Lines = [
        ['Authorization', 'Bearer a.b.c'],
        [name, 'Bearer a.b.c'],
      ];
      expect(refused(lines)).toBe('INVALID_REQUEST credentials_ambiguous');
    }
    expect(
      refused([
        ['authorization', ''],
        ['authorization', ''],
      ]),
    ).toBe('INVALID_REQUEST credentials_ambiguous');
  });

  it('that is missing gives AUTHENTICATION_REQUIRED, whatever the other headers', () => {
    const lines: Lines = [
      ['cookie', 'session=a.b.c'],
      ['proxy-authorization', 'Bearer a.b.c'],
      ['x-authorization', 'Bearer a'],
    ];
    expect(refused(lines)).toBe('AUTHENTICATION_REQUIRED credentials_missing');
    expect(refused([])).toBe('AUTHENTICATION_REQUIRED credentials_missing');
  });
});

describe('the cookie', () => {
  const origin = ['origin', 'https://app.example'] as const;

  it('is accepted only if it is configured', () => {
    expect(read([['cookie', 'session=a.b.c'], origin], cookies)).toBe('a.b.c');
    expect(refused([['cookie', 'session=a.b.c'], origin])).toBe('AUTHENTICATION_REQUIRED credentials_missing');
  });

  it.each([
    'a=1; session=a.b.c; b=2',
    'a=1;session=a.b.c',
    ' session=a.b.c ',
    'xsession=no; session=a.b.c',
    'Session=no; session=a.b.c',
  ])('is found in %j', (value) => {
    expect(read([['Cookie', value], origin], cookies)).toBe('a.b.c');
  });

  it.each(['session', 'sessionx=a', 'other=session=a', 'session=', 'session =a'])('is not in %j', (value) => {
    expect(refused([['Cookie', value], origin], cookies)).toBe('AUTHENTICATION_REQUIRED credentials_missing');
  });

  it('is refused if it is repeated, in one header or in two', () => {
    const twice = 'INVALID_REQUEST credentials_ambiguous';
    expect(refused([['cookie', 'session=a; session=a'], origin], cookies)).toBe(twice);
    expect(refused([['cookie', 'session=a'], ['Cookie', 'session=b'], origin], cookies)).toBe(twice);
    expect(refused([['cookie', 'session=; session=b'], origin], cookies)).toBe(twice);
  });

  it('is refused together with an Authorization header', () => {
    for (const value of ['Bearer a.b.c', 'Basic dTpw', '']) {
      expect(refused([['authorization', value], ['cookie', 'session=a.b.c'], origin], cookies)).toBe(
        'INVALID_REQUEST credentials_ambiguous',
      );
    }
  });

  it('with an empty value is ignored if there is an Authorization header', () => {
    const lines: Lines = [
      ['authorization', 'Bearer a.b.c'],
      ['cookie', 'session='],
    ];
    expect(read(lines, cookies)).toBe('a.b.c');
  });

  it.each(['"a.b.c"', 'a b', 'a,b', 'a%2Eb', 'é'])('with the value %j gives INVALID_TOKEN', (value) => {
    expect(refused([['cookie', `session=${value}`], origin], cookies)).toBe('INVALID_TOKEN credentials_malformed');
  });

  const from = (...lines: Lines): string => refused([['cookie', 'session=a.b.c'], ...lines], cookies);

  it.each<readonly [string, Lines]>([
    ['an allowed origin', [['origin', 'https://app.example']]],
    ["the proxy's own origin", [['Origin', ownOrigin]]],
    ['the same origin by Fetch Metadata', [['Sec-Fetch-Site', 'same-origin']]],
    [
      'the same origin by Fetch Metadata, with an Origin',
      [
        ['sec-fetch-site', 'same-origin'],
        ['origin', 'null'],
      ],
    ],
  ])('is accepted from %s', (_title, lines) => {
    expect(from(...lines)).toBe('accepted a.b.c');
  });

  it.each<readonly [string, Lines]>([
    ['no origin', []],
    ['the origin null', [['origin', 'null']]],
    ['an empty origin', [['origin', '']]],
    ['another origin', [['origin', 'https://evil.example']]],
    ['a subdomain', [['origin', 'https://x.app.example']]],
    ['a longer name', [['origin', 'https://app.example.evil.example']]],
    ['another scheme', [['origin', 'http://app.example']]],
    ['another port', [['origin', 'https://app.example:8443']]],
    ['upper case', [['origin', 'HTTPS://APP.EXAMPLE']]],
    ['an origin with a slash', [['origin', 'https://app.example/']]],
    ['two origins in one line', [['origin', 'https://app.example https://evil.example']]],
    [
      'two origins',
      [
        ['origin', 'https://app.example'],
        ['origin', 'https://evil.example'],
      ],
    ],
    ['the same site only', [['sec-fetch-site', 'same-site']]],
    ['another site', [['sec-fetch-site', 'cross-site']]],
    ['the address bar', [['sec-fetch-site', 'none']]],
    [
      'two Fetch Metadata lines',
      [
        ['sec-fetch-site', 'same-origin'],
        ['sec-fetch-site', 'cross-site'],
      ],
    ],
    ['a Referer only', [['referer', 'https://app.example/']]],
  ])('is refused from %s with ORIGIN_NOT_ALLOWED', (_title, lines) => {
    expect(from(...lines)).toBe('ORIGIN_NOT_ALLOWED origin_refused');
  });

  it('is not accepted from an empty origin if the caller sent no host', () => {
    const source = { rawHeaders: ['cookie', 'session=a.b.c', 'origin', ''], ownOrigin: undefined };
    expect(readCredential(source, cookies)).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED', reason: 'origin_refused' });
  });

  it('is not needed for the Authorization header', () => {
    expect(
      read(
        [
          ['authorization', 'Bearer a.b.c'],
          ['origin', 'https://evil.example'],
        ],
        cookies,
      ),
    ).toBe('a.b.c');
  });
});

describe("a gateway's header", () => {
  const gateway: CredentialOptions = { headerName: 'cf-access-jwt-assertion', isAllowedOrigin };
  const origin = ['origin', 'https://app.example'] as const;
  const header = ['Cf-Access-Jwt-Assertion', 'a.b.c'] as const;

  it('with a token as its value is accepted from an allowed page', () => {
    expect(read([header, origin], gateway)).toBe('a.b.c');
    expect(read([header, ['sec-fetch-site', 'same-origin']], gateway)).toBe('a.b.c');
    expect(read([header, ['origin', ownOrigin]], gateway)).toBe('a.b.c');
  });

  it('is refused from any other page, because a gateway creates it from a cookie', () => {
    for (const lines of [
      [header],
      [header, ['origin', 'https://evil.example']],
      [header, ['origin', 'null']],
    ] as const) {
      expect(refused(lines, gateway)).toBe('ORIGIN_NOT_ALLOWED origin_refused');
    }
  });

  it('replaces Authorization, which is then ignored', () => {
    expect(refused([['authorization', 'Bearer a.b.c'], origin], gateway)).toBe(
      'AUTHENTICATION_REQUIRED credentials_missing',
    );
  });

  it('is refused if it is repeated or sent with another credential', () => {
    const both = { ...gateway, cookieName: 'session' };
    const ambiguous = 'INVALID_REQUEST credentials_ambiguous';
    expect(refused([header, ['authorization', 'Bearer a.b.c'], origin], gateway)).toBe(ambiguous);
    expect(refused([header, ['cookie', 'session=d.e.f'], origin], both)).toBe(ambiguous);
    expect(refused([header, ['cookie', 'session='], origin], both)).toBe('accepted a.b.c');
    expect(refused([header, ['CF-ACCESS-JWT-ASSERTION', 'a.b.c'], origin], gateway)).toBe(ambiguous);
  });

  it('counts as missing if it is empty, and gives INVALID_TOKEN for anything but a token', () => {
    expect(refused([['cf-access-jwt-assertion', ''], origin], gateway)).toBe(
      'AUTHENTICATION_REQUIRED credentials_missing',
    );
    for (const value of ['Bearer a.b.c', '"a.b.c"', 'a b', 'a,b']) {
      expect(refused([['cf-access-jwt-assertion', value], origin], gateway)).toBe(
        'INVALID_TOKEN credentials_malformed',
      );
    }
  });

  it('is ignored unless it is configured', () => {
    expect(refused([header, origin])).toBe('AUTHENTICATION_REQUIRED credentials_missing');
  });
});
