// The step from a request to its principal: the one credential, then authn/'s verification with this request's verifier.
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../authn/authenticate.ts';
import type { Principal } from '../authn/principal.ts';
import type { VerifyJws } from '../authn/verify-jws.ts';
import { readCredential, type CredentialOptions } from './credentials.ts';

/** The origin at which the caller reached us; the scheme is a named proxy's word, the host is the request's own line. */
export const ownOrigin = (request: FastifyRequest): string | undefined => {
  const { host } = request.headers;
  return host === undefined ? undefined : `${request.protocol}://${host}`;
};

/** Gives the route's authentication step. It throws ServiceError for every request without a principal. */
export function createAuthenticate(
  authenticator: Authenticator,
  verifierOf: (request: FastifyRequest) => VerifyJws,
  credentials: CredentialOptions,
): (request: FastifyRequest) => Promise<Principal> {
  return async (request) => {
    const token = readCredential({ rawHeaders: request.raw.rawHeaders, ownOrigin: ownOrigin(request) }, credentials);
    return authenticator.authenticate(token, verifierOf(request));
  };
}
