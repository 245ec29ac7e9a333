// The authentication step of a request: reads its one credential and has authn/ verify it. A refusal becomes a
// ServiceError here.
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../authn/authenticate.ts';
import type { Principal } from '../authn/principal.ts';
import type { TokenRefusal } from '../authn/token-refusal.ts';
import { ServiceError } from '../errors.ts';
import { readCredential, type CredentialOptions } from './credentials.ts';

/** The origin that the caller used: the scheme as a trusted proxy reports it, the host as in the request. */
export const ownOrigin = (request: FastifyRequest): string | undefined => {
  const { host } = request.headers;
  return host === undefined ? undefined : `${request.protocol}://${host}`;
};

interface AuthenticationStepOptions {
  readonly authenticator: Authenticator;
  readonly credentials: CredentialOptions;
  /** Called with every token that is refused. */
  readonly onRefusedToken: (refusal: TokenRefusal, requestId: string) => void;
}

const errorOfRefusal = ({ code, reason, claim, iss, sub, retryAfterSeconds }: TokenRefusal): ServiceError =>
  new ServiceError(code, reason, {
    ...(claim !== undefined && { claim }),
    ...(iss !== undefined && { iss }),
    ...(sub !== undefined && { sub }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });

/**
 * The principal of a request whose token was verified before, or undefined. Only to prepare work: it refuses nothing,
 * the authentication step does.
 */
export const createRecall =
  ({ authenticator, credentials }: Omit<AuthenticationStepOptions, 'onRefusedToken'>) =>
  (request: FastifyRequest): Principal | undefined => {
    const token = readCredential({ rawHeaders: request.raw.rawHeaders, ownOrigin: ownOrigin(request) }, credentials);
    return typeof token === 'string' ? authenticator.recall(token) : undefined;
  };

/**
 * Creates the authentication step of the route. It throws ServiceError for every request without a principal. It is only
 * asynchronous if the token has to be verified.
 */
export function createAuthenticate({
  authenticator,
  credentials,
  onRefusedToken,
}: AuthenticationStepOptions): (request: FastifyRequest) => Principal | Promise<Principal> {
  const orThrow = (result: Principal | TokenRefusal, requestId: string): Principal => {
    if (!('refused' in result)) return result;
    onRefusedToken(result, requestId);
    throw errorOfRefusal(result);
  };

  return (request) => {
    const token = readCredential({ rawHeaders: request.raw.rawHeaders, ownOrigin: ownOrigin(request) }, credentials);
    if (typeof token !== 'string') throw errorOfRefusal(token);
    const result = authenticator.authenticate(token);
    return result instanceof Promise ? result.then((late) => orThrow(late, request.id)) : orThrow(result, request.id);
  };
}
