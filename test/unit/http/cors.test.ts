import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createCors } from '../../../src/http/cors.ts';

const app = 'https://app.example.com';
const exposed =
  'Guest-Token-Expires-In, Guest-Token-Grant, X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate';

describe('CORS headers', () => {
  it('contain an allowed origin, and Vary: Origin', () => {
    const { headersFor } = createCors({ origins: [app], credentials: false });
    expect(headersFor(app)).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': app,
      'access-control-expose-headers': exposed,
    });
  });

  it.each(['https://evil.example', 'https://app.example.com.evil.example', 'null', '', undefined])(
    'contain no other origin: %j',
    (origin) => {
      const { headersFor, headersForUnread } = createCors({ origins: [app, 'https://two.example'], credentials: true });
      expect(headersFor(origin)).toEqual({ vary: 'Origin' });
      expect(headersForUnread(origin)).toEqual({ vary: 'Origin' });
    },
  );

  it('are absent without allowed origins', () => {
    const { headersFor, headersForUnread, isAllowed } = createCors({ origins: [], credentials: true });
    expect([headersFor(app), headersFor(undefined), headersForUnread(undefined)]).toEqual([{}, {}, {}]);
    expect([isAllowed(app), isAllowed('')]).toEqual([false, false]);
  });

  it('allow credentials only if the credential is a cookie', () => {
    const { headersFor } = createCors({ origins: [app], credentials: true });
    expect(headersFor(app)).toMatchObject({ 'access-control-allow-credentials': 'true' });
  });

  it('contain the only allowed origin in the response to input that could not be parsed', () => {
    const { headersForUnread } = createCors({ origins: [app], credentials: false });
    expect(headersForUnread(undefined)).toMatchObject({ 'access-control-allow-origin': app });
    expect(headersForUnread('https://evil.example')).toEqual({ vary: 'Origin' });
  });
});

describe('a wildcard in an allowed origin', () => {
  const isAllowed = (origin: string): boolean =>
    createCors({ origins: ['https://*.app.example.com', 'https://a.b'], credentials: false }).isAllowed(origin);

  it.each(['a', 'tenant-1', 'xn--bcher-kva', '9', 'a'.repeat(63)])('matches one label: %s', (label) => {
    expect(isAllowed(`https://${label}.app.example.com`)).toBe(true);
  });

  it.each([
    'https://app.example.com',
    'https://.app.example.com',
    'https://a.b.app.example.com',
    'https://-a.app.example.com',
    'https://a-.app.example.com',
    'https://A.app.example.com',
    'https://a_b.app.example.com',
    'https://evil.example/.app.example.com',
    `https://${'a'.repeat(64)}.app.example.com`,
    'https://a.app.example.com:8443',
    'https://a.app.example.com.evil.example',
    'http://a.app.example.com',
    'http://*.app.example.com',
    'https://*.app.example.com',
    'httpsX//a.app.example.com',
    'https://localhost',
  ])('matches nothing else: %s', (origin) => {
    expect(isAllowed(origin)).toBe(false);
  });
});

describe('the response to a preflight', () => {
  const preflightHeaders = (request: IncomingHttpHeaders) =>
    createCors({ origins: [app], credentials: false }).preflightHeaders(request);
  const allowedHeaders = (wanted?: string): unknown =>
    preflightHeaders({ origin: app, 'access-control-request-headers': wanted })['access-control-allow-headers'];
  const usual = 'Authorization, Content-Type, X-Request-Id';

  it('allows POST for ten minutes', () => {
    expect(preflightHeaders({ origin: app })).toEqual({
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': usual,
      'access-control-max-age': '600',
    });
  });

  it.each([undefined, 'https://evil.example'])('allows nothing for the origin %s', (origin) => {
    expect(preflightHeaders({ origin })).toEqual({});
  });

  it('allows each requested header once, in the same spelling', () => {
    expect(allowedHeaders('traceparent,\t X-B3-TraceId ,traceparent, authorization')).toBe(
      `${usual}, traceparent, X-B3-TraceId`,
    );
  });

  it.each(['a b', 'a,,b', ',a', 'a,', 'a: b', 'a\r\nSet-Cookie', ''])(
    'omits a header list with invalid syntax: %j',
    (wanted) => {
      expect(allowedHeaders(wanted)).toBe(usual);
    },
  );

  it('repeats a header list of up to 2,048 characters', () => {
    expect(allowedHeaders('x'.repeat(2_048))).toBe(`${usual}, ${'x'.repeat(2_048)}`);
    expect(allowedHeaders('x'.repeat(2_049))).toBe(usual);
  });
});
