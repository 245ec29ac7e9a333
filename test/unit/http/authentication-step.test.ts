import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import type { TokenRefusal } from '../../../src/authn/token-refusal.ts';
import { createAuthenticationStep, ownOrigin } from '../../../src/http/authentication-step.ts';
import { principalOf } from '../../support/issuing.ts';

const alice = principalOf('alice');
const credentials = { isAllowedOrigin: () => false };
const requestWith = (headers: Readonly<Record<string, string>>): FastifyRequest =>
  ({
    id: 'r-1',
    protocol: 'https',
    headers,
    raw: { rawHeaders: Object.entries(headers).flat() },
  }) as unknown as FastifyRequest;

function start(result: typeof alice | TokenRefusal) {
  const refused: unknown[] = [];
  const { authenticate } = createAuthenticationStep({
    authenticator: { authenticate: () => result } as never,
    credentials,
    onRefusedToken: (...refusal) => refused.push(refusal),
  });
  return { refused, authenticate: async (headers = {}) => authenticate(requestWith(headers)) };
}
const withToken = { authorization: 'Bearer a.b.c' };

describe('authentication', () => {
  it('returns the principal of a verified token', async () => {
    const { authenticate, refused } = start(alice);
    expect(await authenticate(withToken)).toBe(alice);
    expect(refused).toEqual([]);
  });

  it('refuses a request without a credential, and does not report a refused token', async () => {
    const { authenticate, refused } = start(alice);
    await expect(authenticate()).rejects.toMatchObject({ code: 'AUTHENTICATION_REQUIRED', detail: {} });
    expect(refused).toEqual([]);
  });

  it('refuses with the known details of the token, and reports them with the request id', async () => {
    const refusal = {
      refused: true,
      code: 'AUTHENTICATION_UNAVAILABLE',
      reason: 'claim_invalid',
      claim: 'aud',
      iss: 'https://issuer.example',
      sub: 'alice',
      retryAfterSeconds: 30,
    } as const;
    const { authenticate, refused } = start(refusal);
    const { code, reason, claim, iss, sub, retryAfterSeconds } = refusal;
    await expect(authenticate(withToken)).rejects.toMatchObject({
      code,
      reason,
      detail: { claim, iss, sub, retryAfterSeconds },
    });
    expect(refused).toEqual([[refusal, 'r-1']]);
  });

  it('omits details that are unknown', async () => {
    const { authenticate } = start({ refused: true, code: 'INVALID_TOKEN', reason: 'token_malformed' });
    const error = await authenticate(withToken).catch((thrown: unknown) => thrown);
    expect((error as { detail: object }).detail).toEqual({});
  });
});

it('a principal is remembered by its token only', () => {
  const { recall } = createAuthenticationStep({
    authenticator: { recall: (token: string) => (token === 'a.b.c' ? alice : undefined) } as never,
    credentials,
    onRefusedToken: () => expect.fail('recall refuses nothing'),
  });
  expect(recall(requestWith(withToken))).toBe(alice);
  expect(recall(requestWith({ authorization: 'Bearer d.e.f' }))).toBeUndefined();
  expect(recall(requestWith({}))).toBeUndefined();
});

it("the service's own origin is that of the request", () => {
  expect(ownOrigin(requestWith({ host: 'proxy.example:8443' }))).toBe('https://proxy.example:8443');
  expect(ownOrigin(requestWith({}))).toBeUndefined();
});
