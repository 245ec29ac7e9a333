// A real OpenID provider on a real socket: discovery, JWK set and JWT access tokens by client credentials.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export type OidcAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA';

export interface OidcIssuer {
  readonly iss: string;
  /** `METHOD path` of every request. */
  readonly requests: string[];
  /** An access token for `audience` from the provider's token endpoint. */
  readonly accessToken: (audience?: string) => Promise<string>;
  /** Publishes other keys: new ones first, then some of the old ones. */
  readonly rotate: (options: { keep: boolean }) => void;
  readonly stop: () => Promise<void>;
}

export const oidcAudience = 'https://guest-token-proxy.example';

function createKey(alg: OidcAlgorithm, number: number): Record<string, unknown> {
  const { privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: `${alg}-${number}`, alg, use: 'sig' };
}

/** The account behind the client is the client itself (RFC 9068 §2.2): `sub` is `reporting-job`. */
function createProvider(iss: string, alg: OidcAlgorithm, keys: readonly unknown[]): Provider {
  return new Provider(iss, {
    jwks: { keys },
    clients: [
      {
        client_id: 'reporting-job',
        client_secret: 'the-secret-of-the-client',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: alg,
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => oidcAudience,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          audience: resource,
          scope: 'dashboards',
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        }),
      },
    },
  });
}

export async function startOidcIssuer(alg: OidcAlgorithm): Promise<OidcIssuer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => unknown = (_request, response) => response.end();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    void handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const iss = `http://127.0.0.1:${port}`;

  let keys = [createKey(alg, 1)];
  const serve = (): void => {
    handle = createProvider(iss, alg, keys).callback();
  };
  serve();

  return {
    iss,
    requests,
    accessToken: async (audience = oidcAudience) => {
      const response = await fetch(`${iss}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from('reporting-job:the-secret-of-the-client').toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'dashboards', resource: audience }),
      });
      const answer: unknown = await response.json();
      if (typeof answer === 'object' && answer !== null && 'access_token' in answer) return String(answer.access_token);
      throw new Error(`the provider gave no token: ${JSON.stringify(answer)}`);
    },
    rotate: ({ keep }) => {
      keys = [createKey(alg, keys.length + 1), ...(keep ? keys : [])];
      serve();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
