// Access tokens of a real OpenID provider: discovery, JWK set, rotation, withdrawal and outage.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { issuersFrom, startAuthnServer, type AuthnServer } from '../../support/servers/authn-server.ts';
import {
  oidcAudience,
  startOidcIssuer,
  type OidcAlgorithm,
  type OidcIssuer,
} from '../../support/servers/oidc-issuer.ts';

const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part.close();
});

async function setUp(
  alg: OidcAlgorithm = 'RS256',
  key = '',
): Promise<{ issuer: OidcIssuer; server: AuthnServer; skip: (ms: number) => void }> {
  const issuer = await startOidcIssuer(alg);
  let isUp = true;
  const stop = async (): Promise<void> => {
    if (isUp) await issuer.stop();
    isUp = false;
  };
  open.push({ close: stop });
  let skipped = 0;
  const yaml = `- { issuer: '${issuer.iss}', audience: '${oidcAudience}'${key.replace('ISS', issuer.iss)} }`;
  const server = await startAuthnServer(issuersFrom(yaml), {
    clock: { now: () => Date.now(), monotonic: () => performance.now() + skipped },
  });
  open.push(server);
  server.authenticator.start();
  await vi.waitFor(() => expect(server.authenticator.ready()).toBe(true), { timeout: 15_000 });
  return { issuer: { ...issuer, stop }, server, skip: (ms) => (skipped += ms) };
}

const accepted = async (server: AuthnServer, token: string): Promise<number> => (await server.send(token)).status;

describe('a real OpenID provider', () => {
  it.each(['RS256', 'ES256', 'EdDSA'] as const)(
    'issues %s access tokens, which are accepted with its name only',
    async (alg) => {
      const { issuer, server } = await setUp(alg);
      const token = await issuer.accessToken();
      expect(await server.send(token)).toMatchObject({
        status: 200,
        body: { iss: issuer.iss, sub: 'reporting-job', claims: { aud: oidcAudience, client_id: 'reporting-job' } },
      });
      const fetched = issuer.requests.filter((request) => request.startsWith('GET'));
      expect(fetched).toEqual(['GET /.well-known/openid-configuration', 'GET /jwks']);
    },
  );

  it('issues PS256 tokens, which are accepted only if configured', async () => {
    const { issuer, server } = await setUp('PS256', ', algorithms: [PS256]');
    expect(await accepted(server, await issuer.accessToken())).toBe(200);
  });

  it('can also be used with its key set address', async () => {
    const { issuer, server } = await setUp('RS256', ", jwksUrl: 'ISS/jwks'");
    expect(await accepted(server, await issuer.accessToken())).toBe(200);
    expect(issuer.requests).not.toContain('GET /.well-known/openid-configuration');
  });

  it('issues tokens for other services, which are refused', async () => {
    const { issuer, server } = await setUp();
    expect(await accepted(server, await issuer.accessToken('https://another-api.example'))).toBe(401);
    expect(server.refusals.at(-1)).toMatchObject({ reason: 'audience_refused', detail: { claim: 'aud' } });
  });

  it('rotates its keys: the new key is used at once, and the old key while it is published', async () => {
    const { issuer, server } = await setUp();
    const old = await issuer.accessToken();
    expect(await accepted(server, old)).toBe(200);

    issuer.rotate({ keep: true });
    const fresh = await issuer.accessToken();
    expect(await accepted(server, fresh)).toBe(200);
    expect(await accepted(server, old)).toBe(200);

    issuer.rotate({ keep: false });
    expect(await accepted(server, await issuer.accessToken())).toBe(200);
    expect(await accepted(server, old)).toBe(401);
    expect(await accepted(server, fresh)).toBe(401);
  });

  it('may be unavailable: its users have access for six hours, then get 503, not 401', async () => {
    const { issuer, server, skip } = await setUp();
    const [remembered, fresh] = [await issuer.accessToken(), await issuer.accessToken()];
    expect(await accepted(server, remembered)).toBe(200);
    await issuer.stop();
    skip(6 * 3_600_000 - 60_000);
    expect(await accepted(server, fresh)).toBe(200);
    skip(61_000);
    expect(await accepted(server, remembered)).toBe(503);
    expect(server.refusals.at(-1)).toMatchObject({ code: 'AUTHENTICATION_UNAVAILABLE', reason: 'keys_unavailable' });
  });
});
