// The whole table of hostile tokens with real verification, and the valid tokens on a real socket. The responses of the
// whole service to the table are in refusals.test.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import { goodTokens, hostileTokens, overHttp, type HostileToken } from '../../support/hostile-tokens.ts';
import { createTokenIssuers } from '../../support/servers/token-issuers.ts';

const issuers = createTokenIssuers();
const table = hostileTokens(issuers);
const isSendable = (hostile: HostileToken): boolean => overHttp(hostile)?.reason === hostile.reason;
let server: AuthnServer;

function expectNothingOf(token: string, text: string): void {
  for (const segment of token.split('.').filter((part) => part.length > 8)) expect(text).not.toContain(segment);
  expect(text).not.toContain('acme');
}

beforeAll(async () => {
  server = await startAuthnServer(issuersFrom(issuers.yaml));
});
afterAll(() => server.close());

describe('the table of hostile tokens', () => {
  it('has at least 150 tokens, each with a unique title', () => {
    expect(table.length).toBeGreaterThanOrEqual(150);
    expect(new Set(table.map(({ title }) => title)).size).toBe(table.length);
  });

  const claimOf: Readonly<Record<string, string>> = {
    issuer_refused: 'iss',
    audience_refused: 'aud',
    token_expired: 'exp',
    token_not_yet_valid: 'nbf',
    token_issued_in_future: 'iat',
  };
  it.each(table)('refuses $title', async ({ token, reason, code = 'INVALID_TOKEN' }) => {
    const refused = await server.authenticate(token);
    expect(refused).toMatchObject({ refused: true, code, reason });
    const claim = claimOf[reason];
    if (claim !== undefined) expect(refused).toHaveProperty('claim', claim);
    expectNothingOf(token, JSON.stringify(refused));
    expect(server.bugs).toEqual([]);
  });

  it('is refused without any part of the token in the refusal, whatever the reason', async () => {
    const oneOfEachReason = new Map(table.filter(isSendable).map((hostile) => [hostile.reason, hostile]));
    expect(oneOfEachReason.size).toBeGreaterThan(10);
    for (const { token, reason } of oneOfEachReason.values()) {
      server.refusals.length = 0;
      await server.send(token);
      const [refused] = server.refusals;
      expect(refused?.reason).toBe(reason);
      expectNothingOf(token, JSON.stringify(refused) + JSON.stringify(refused?.detail) + String(refused));
      expect(refused?.cause).toBeUndefined();
    }
  });
});

describe('valid tokens', () => {
  it.each(goodTokens(issuers))('accepts $title, and again when it is remembered', async ({ token }) => {
    const first = await server.send(token);
    expect(first.status).toBe(200);
    expect(await server.send(token)).toMatchObject({ status: 200, body: first.body });
  });

  it('give exactly the issuer, subject and claims of the token', async () => {
    const { body } = await server.send(issuers.token('rsa', { sub: ' Ünï\u0301 ', nested: { list: [1, 'a', null] } }));
    expect(body).toEqual({
      iss: 'https://rsa.example',
      sub: ' Ünï\u0301 ',
      exp: issuers.now + 600,
      claims: { ...issuers.claims('rsa'), sub: ' Ünï\u0301 ', nested: { list: [1, 'a', null] } },
    });
  });
});
