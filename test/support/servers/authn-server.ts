// Authentication on a real socket without the rest of the service: credentials, authenticator and @fastify/jwt as the
// service joins them. Returns the principal, or status and code, and records the refusals.
import Fastify from 'fastify';
import {
  createAuthenticator,
  type Authenticator,
  type AuthenticatorOptions,
} from '../../../src/authn/authenticator.ts';
import type { Principal } from '../../../src/authn/principal.ts';
import type { TokenRefusal } from '../../../src/authn/token-refusal.ts';
import type { IssuerConfig } from '../../../src/authn/issuer.ts';
import { loadIssuersFile } from '../../../src/authn/issuers-file.ts';
import type { KeySetEvents } from '../../../src/authn/keys/fetched-keys.ts';
import { systemClock, type Clock } from '../../../src/clock.ts';
import type { PrepareVerifiers } from '../../../src/authn/keys/issuer-keys.ts';
import { createEgress } from '../../../src/egress/egress.ts';
import { errorRow, isServiceError, type ServiceError } from '../../../src/errors.ts';
import { createAuthenticationStep } from '../../../src/http/authentication-step.ts';
import { prepareVerifiers } from '../../../src/http/jwt.ts';
import { toLine } from '../../../src/problem.ts';

/** Without an egress proxy. */
export const directly = createEgress({ https: undefined, http: undefined, noProxy: '' });

export type RecordedEvent = { readonly event: keyof KeySetEvents } & Record<string, unknown>;

export interface AuthnServer {
  readonly url: string;
  readonly authenticator: Authenticator;
  /** As a client sends it: `Authorization: Bearer <token>`. */
  readonly send: (token: string) => Promise<{ status: number; body: unknown; headers: Headers }>;
  /** Without the socket, for tokens that are not valid in a header. Returns the principal or the refusal. */
  readonly authenticate: (token: string) => Promise<Principal | TokenRefusal>;
  readonly refusals: ServiceError[];
  readonly events: RecordedEvent[];
  /** Errors that are not a ServiceError: must stay empty. */
  readonly bugs: unknown[];
  readonly close: () => Promise<void>;
}

export function issuersFrom(yaml: string, changes: { allowMissingIssuer?: boolean } = {}): readonly IssuerConfig[] {
  const loaded = loadIssuersFile(yaml, 'issuers.yaml', {
    clockToleranceSeconds: 30,
    allowMissingIssuer: false,
    allowMissingAudience: false,
    allowHttp: false,
    readFile: () => {
      throw new Error('no file is expected');
    },
    ...changes,
  });
  if ('problems' in loaded) throw new Error(loaded.problems.map(toLine).join('\n'));
  return loaded.issuers;
}

export async function startAuthnServer(
  issuers: readonly IssuerConfig[],
  options: Partial<Omit<AuthenticatorOptions, 'issuers' | 'events' | 'clock' | 'prepareVerifiers'>> & {
    clock?: Clock | undefined;
    prepareVerifiers?: PrepareVerifiers | undefined;
    cookieName?: string;
    headerName?: string;
  } = {},
): Promise<AuthnServer> {
  const { cookieName, headerName, clock, prepareVerifiers: prepare, ...authenticatorOptions } = options;
  const events: RecordedEvent[] = [];
  const refusals: ServiceError[] = [];
  const bugs: unknown[] = [];
  const record = (event: keyof KeySetEvents) => (detail: object) => void events.push({ event, ...detail });
  const authenticator = await createAuthenticator({
    issuers,
    prepareVerifiers: prepare ?? prepareVerifiers,
    createAgent: directly.createAgent,
    clock: clock ?? systemClock,
    events: { fetched: record('fetched'), failed: record('failed') },
    ...authenticatorOptions,
  });

  const app = Fastify({ http: { maxHeaderSize: 65_536 } });
  app.setErrorHandler((error, _request, reply) => {
    if (!isServiceError(error)) {
      bugs.push(error);
      return reply.code(500).send({});
    }
    refusals.push(error);
    const { status, challenge } = errorRow(error.code);
    if (challenge === 'bare') reply.header('www-authenticate', 'Bearer');
    if (challenge === 'invalid_token') reply.header('www-authenticate', 'Bearer error="invalid_token"');
    return reply.code(status).send({ error: { code: error.code } });
  });
  const { authenticate } = createAuthenticationStep({
    authenticator,
    credentials: {
      isAllowedOrigin: (origin) => origin === 'https://app.example',
      cookieName,
      headerName,
    },
    onRefusedToken: () => undefined,
  });
  app.post('/guest-token', authenticate);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });

  return {
    url,
    authenticator,
    refusals,
    events,
    bugs,
    send: async (token) => {
      const response = await fetch(`${url}/guest-token`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      });
      return { status: response.status, body: await response.json(), headers: response.headers };
    },
    authenticate: async (token) => authenticator.authenticate(token),
    close: async () => {
      await app.close();
      await authenticator.close();
    },
  };
}
