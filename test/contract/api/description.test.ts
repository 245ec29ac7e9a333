// Checks the errors in openapi.yaml against src/errors.ts: every code with its status, headers and message.
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../../../package.json' with { type: 'json' };
import { errorRow, errorTable, type ErrorCode } from '../../../src/errors.ts';
import { conformanceProblems, type Observed } from './conformance.ts';
import { readDescription, type DescribedResponse } from './description.ts';
import { readDocument } from '../settings-documents.ts';

interface OpenApi {
  readonly components: { readonly headers: Readonly<Record<string, { readonly schema: { readonly const?: string } }>> };
}

const description = readDescription();
const codes = Object.keys(errorTable) as ErrorCode[];
const elsewhere = [description.unknownPath, description.otherMethod, description.limitedAddress];
const ofGuestToken = description.operations
  .filter(({ path, method }) => path === '/guest-token' && method === 'POST')
  .flatMap(({ responses }) => responses);

const responsesFor = (code: ErrorCode): readonly DescribedResponse[] =>
  [...ofGuestToken, ...elsewhere].filter(({ content }) => content?.codes.includes(code));

interface ErrorExample {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

describe('openapi.yaml', () => {
  it('is OpenAPI 3.1 for this version of the program', () => {
    expect(description.version).toBe('3.1.0');
    expect(description.info['version']).toBe(packageJson.version);
  });

  it('lists exactly the codes of the error table', () => {
    const fix = 'correct the list of codes in openapi.yaml by src/errors.ts';
    expect([...description.codes].sort(), fix).toEqual([...codes].sort());
  });

  it.each(codes)('has %s under its status, with its headers', (code) => {
    const responses = responsesFor(code);
    const { status, challenge, retryable } = errorRow(code);
    const fix = `describe ${code} in openapi.yaml under ${status}`;
    expect(new Set(responses.map((response) => response.status)), fix).toEqual(new Set([status]));
    for (const { headers } of responses) {
      const required = new Set(headers.filter((header) => header.required).map(({ name }) => name));
      expect(required.has('x-request-id')).toBe(true);
      expect(required.has('cache-control')).toBe(true);
      expect(required.has('www-authenticate')).toBe(challenge !== undefined);
      expect(required.has('retry-after')).toBe(retryable && status !== 504);
      expect(required.has('allow')).toBe(code === 'METHOD_NOT_ALLOWED');
    }
  });

  it.each(codes)('has an example of %s with its own message', (code) => {
    const examples = responsesFor(code)
      .flatMap(({ content }) => (content?.examples ?? []) as ErrorExample[])
      .filter(({ error }) => error.code === code);
    expect(examples.length, `add an example of ${code} to openapi.yaml`).toBeGreaterThan(0);
    expect(new Set(examples.map(({ error }) => error.message))).toEqual(new Set([errorRow(code).message]));
  });

  it('has no code under a wrong status', () => {
    const wrong = [...description.operations.flatMap(({ responses }) => responses), ...elsewhere].flatMap(
      ({ status, content }) => (content?.codes ?? []).filter((code) => errorRow(code as ErrorCode).status !== status),
    );
    expect(wrong).toEqual([]);
  });

  it('describes every header that scripts of an allowed origin may read', () => {
    const { components } = parse(readDocument('openapi.yaml')) as OpenApi;
    const { const: exposed = '' } = components.headers['Access-Control-Expose-Headers']?.schema ?? {};
    const names = exposed.split(', ');
    expect(names).toContain('Guest-Token-Expires-In');
    expect(names.filter((name) => components.headers[name] === undefined)).toEqual([]);
  });

  it('has only examples that match its own schemas', () => {
    const described = [...description.operations.flatMap(({ responses }) => responses), ...elsewhere];
    const contents = described.flatMap(({ content }) => (content === undefined ? [] : [content]));
    expect(contents.flatMap(({ accepts, examples }) => examples.filter((example) => !accepts(example)))).toEqual([]);
  });
});

describe('the check of responses', () => {
  const token = '2e7c0a52-53a5-4d7b-9f0f-5b8a7d1a3c61';
  const good: Observed = {
    method: 'POST',
    path: '/guest-token?x=1',
    listener: 'public',
    status: 200,
    headers: {
      'x-request-id': 'a',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'guest-token-expires-in': '3600',
      'guest-token-grant': 'abcdefghijklmnopqrstuv',
      'content-type': 'application/json; charset=utf-8',
    },
    body: JSON.stringify({ token }),
  };
  const refusal = (code: ErrorCode, status: number, headers: Record<string, string>): Observed => ({
    ...good,
    status,
    headers: {
      'x-request-id': 'a',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ error: { code, message: errorRow(code).message, requestId: 'a' } }),
  });

  it('accepts a described response', () => {
    expect(conformanceProblems(description, good)).toEqual([]);
    expect(
      conformanceProblems(
        description,
        refusal('TOKEN_EXPIRED', 401, { 'www-authenticate': 'Bearer error="invalid_token"' }),
      ),
    ).toEqual([]);
  });

  it.each([
    ['an undescribed status', { ...good, status: 418 }],
    [
      'a missing header',
      {
        ...good,
        headers: {
          'x-request-id': 'a',
          'x-content-type-options': 'nosniff',
          'cache-control': 'no-store',
          'content-type': 'application/json',
        },
      },
    ],
    ['an undescribed header', { ...good, headers: { ...good.headers, 'x-powered-by': 'x' } }],
    ['a header with another value', { ...good, headers: { ...good.headers, 'cache-control': 'public' } }],
    ['a different media type', { ...good, headers: { ...good.headers, 'content-type': 'text/html' } }],
    ['a token that is not a UUID', { ...good, body: '{"token":"x"}' }],
    ['an additional member', { ...good, body: JSON.stringify({ token, user: 'u' }) }],
    ['a body that is not JSON', { ...good, body: 'x' }],
    ['a public path on the admin listener', { ...good, listener: 'admin' as const }],
    ['an admin path on the public listener', { ...good, path: '/metrics', method: 'GET' }],
    ['a code under the wrong status', refusal('ACCESS_DENIED', 400, {})],
    [
      'a code that is not in the list',
      { ...refusal('INVALID_REQUEST', 400, {}), body: '{"error":{"code":"TEAPOT","message":"x","requestId":"a"}}' },
    ],
    [
      'a message that is not the fixed sentence',
      {
        ...refusal('INVALID_REQUEST', 400, {}),
        body: '{"error":{"code":"INVALID_REQUEST","message":"Error: at server.ts:1","requestId":"a"}}',
      },
    ],
    ['a 401 without a challenge', refusal('INVALID_TOKEN', 401, {})],
    ['the challenge of another code', refusal('INVALID_TOKEN', 401, { 'www-authenticate': 'Bearer' })],
    ['a 429 without Retry-After', refusal('RATE_LIMITED', 429, {})],
    ['Retry-After for an error that a retry cannot fix', refusal('ACCESS_DENIED', 403, { 'retry-after': '1' })],
    [
      'a second request id',
      {
        ...refusal('ACCESS_DENIED', 403, {}),
        body: '{"error":{"code":"ACCESS_DENIED","message":"x","requestId":"b"}}',
      },
    ],
  ])('rejects %s', (_title, observed) => {
    expect(conformanceProblems(description, observed)).not.toEqual([]);
  });
});
