import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseResponse } from '../../../src/databrain/api-messages.ts';

const token = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

const parse = (status: number, body: unknown, contentEncoding?: string) =>
  parseResponse({
    status,
    contentEncoding,
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  });
const faultOf = (status: number, body: unknown): string => {
  const parsed = parse(status, body);
  return parsed.kind === 'fault' ? parsed.fault : 'token';
};

describe('A response of the upstream', () => {
  it('returns its token unchanged', () => {
    expect(parse(200, { token, error: null })).toEqual({ kind: 'token', token });
  });

  it('returns no token that is inherited from a prototype', () => {
    expect(parse(200, `{"__proto__": {"token": "${token}"}}`)).toEqual({ kind: 'fault', fault: 'unusable_answer' });
    expect(parse(200, `{"token": "${token}", "__proto__": {"error": "x"}}`)).toEqual({ kind: 'token', token });
  });

  it.each([
    ['an object', { error: { code: 'CLIENT_ID_ERROR', message: 'x' } }],
    ['an object with a status', { error: { code: 'CLIENT_ID_ERROR', status: 200 } }],
    ['a string', { error: 'CLIENT_ID_ERROR' }],
    ['members of the document', { code: 'CLIENT_ID_ERROR', message: 'x' }],
  ])('is understood when its error is %s', (_form, body) => {
    expect(parse(400, body)).toEqual({ kind: 'fault', fault: 'request_refused', upstreamCode: 'CLIENT_ID_ERROR' });
  });

  it('is classified by its code first, then by its message, then by its status', () => {
    expect(faultOf(400, { error: { code: 'AUTHENTICATION_ERROR', message: 'Too many requests' } })).toBe('key_refused');
    expect(faultOf(401, { error: { code: 'CLIENT_ID_ERROR' } })).toBe('request_refused');
    expect(faultOf(200, { error: { code: 'RATE_LIMIT_EXCEEDED' } })).toBe('rate_limited');
    expect(faultOf(400, { error: { code: 'INTERNAL_SERVER_ERROR' } })).toBe('failed');
    expect(faultOf(503, { error: { code: 'INTERNAL_SERVER_ERROR' } })).toBe('overloaded');
    expect(faultOf(429, { error: { code: 'INTERNAL_SERVER_ERROR' } })).toBe('rate_limited');
    expect(faultOf(200, { error: { code: 'INTERNAL_SERVER_ERROR' } })).toBe('failed');
  });

  it.each([
    ['Invalid API key', 'key_refused'],
    ['The api key is expired', 'key_refused'],
    ['Unauthorized', 'key_refused'],
    ['Authentication failed', 'key_refused'],
    ['Rate limit exceeded, try later', 'rate_limited'],
    ['Too many requests from this IP', 'rate_limited'],
    ['Data app not found', 'request_refused'],
    ['"params.x" is not allowed', 'request_refused'],
    ['"params.apiKey" is not allowed', 'request_refused'],
    ['something else entirely', 'request_refused'],
  ])('without a known code is classified by its message: %s', (message, fault) => {
    expect(faultOf(400, { error: { code: 'SOMETHING_NEW', message } })).toBe(fault);
    expect(faultOf(400, { error: message })).toBe(fault);
    expect(faultOf(400, { message })).toBe(fault);
  });

  it.each([
    [301, 'redirected'],
    [400, 'request_refused'],
    [401, 'key_refused'],
    [403, 'request_refused'],
    [404, 'request_refused'],
    [429, 'rate_limited'],
    [500, 'failed'],
    [502, 'overloaded'],
    [503, 'overloaded'],
    [504, 'overloaded'],
    [200, 'unusable_answer'],
    [299, 'unusable_answer'],
  ])('with only the status %i is %s', (status, fault) => {
    expect(faultOf(status, 'plain text')).toBe(fault);
    expect(faultOf(status, '')).toBe(fault);
  });

  it('with 429 is a rate limit, whatever its message', () => {
    expect(faultOf(429, { error: 'Unauthorized' })).toBe('rate_limited');
  });

  it('with a redirect is a redirect, whatever its body', () => {
    expect(faultOf(302, { token })).toBe('redirected');
    expect(faultOf(307, { error: { code: 'AUTHENTICATION_ERROR' } })).toBe('redirected');
  });

  it('returns documented codes only', () => {
    for (const code of [
      'SOMETHING_NEW',
      'constructor',
      'toString',
      '__proto__',
      '',
      7,
      null,
      ['CLIENT_ID_ERROR'],
      {},
    ]) {
      expect(parse(400, { error: { code } })).toEqual({ kind: 'fault', fault: 'request_refused' });
    }
  });

  it('that is compressed is refused', () => {
    expect(parse(200, { token }, 'gzip')).toEqual({ kind: 'fault', fault: 'unusable_answer' });
    expect(parse(200, { token }, 'gzip, identity')).toEqual({ kind: 'fault', fault: 'unusable_answer' });
    expect(parse(200, { token }, ' Identity ')).toEqual({ kind: 'token', token });
  });

  it('of any status and JSON returns a fault or a token, without an exception and without its own text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), fc.json(), (status, body) => {
        const parsed = parse(status, body);
        expect(Object.keys(parsed).sort().join()).toMatch(/^(?:fault,kind|fault,kind,upstreamCode)$/);
      }),
    );
  });

  it('of any bytes returns a fault', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.uint8Array({ maxLength: 300 }), (status, body) => {
        expect(parseResponse({ status, contentEncoding: undefined, body }).kind).toBe('fault');
      }),
    );
  });

  it('with the longest message is classified quickly', () => {
    const begin = performance.now();
    faultOf(400, { error: 'invalid api '.repeat(5000) });
    faultOf(400, { error: ' '.repeat(60_000) });
    expect(performance.now() - begin).toBeLessThan(100);
  });
});
