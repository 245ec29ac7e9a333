// The authentication step of a request: finds its one access token (RFC 6750 §2.1), in the Authorization header or, if
// configured, in a gateway's header instead, or in one cookie, and lets authn/ verify it. Reads the raw header lines,
// because Node joins or drops repeated ones; never reads query or body. A refusal becomes a ServiceError here.
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../authn/authenticator.ts';
import type { Principal } from '../authn/principal.ts';
import type { TokenRefusal } from '../authn/token-refusal.ts';
import { ServiceError } from '../errors.ts';
import type { AuthnReason, CodeOf } from '../refusal-reasons.ts';

export interface CredentialOptions {
  /** JWT_COOKIE_NAME; undefined: cookies are ignored. */
  readonly cookieName?: string | undefined;
  /** JWT_HEADER_NAME in lower case; undefined: the Authorization header is read. */
  readonly headerName?: string | undefined;
  /** By CORS_ORIGINS: origins from which a cookie, or a gateway's header, is accepted. */
  readonly isAllowedOrigin: (origin: string) => boolean;
}

export interface CredentialSource {
  /** Alternating names and values, as in Node's `request.raw.rawHeaders`. */
  readonly rawHeaders: readonly string[];
  /** The origin that the caller used, `https://host[:port]`; undefined for HTTP/1.0 without a host. */
  readonly ownOrigin: string | undefined;
}

/** RFC 9110 §11.2, which RFC 6750 §2.1 calls b64token. */
const token68 = /^[A-Za-z0-9\-._~+/]+=*$/;

function linesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const field = rawHeaders[index];
    if (field?.length === name.length && field.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}

function cookieValues(lines: readonly string[], name: string): readonly string[] {
  return lines
    .flatMap((line) => line.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}

const refusalOf = <R extends AuthnReason>(code: CodeOf<R>, reason: R): TokenRefusal => ({
  refused: true,
  code,
  reason,
});

/** RFC 6750 §3.1: another scheme counts as no credentials, a malformed value after `Bearer` as invalid ones. */
function bearerToken(line: string): string | TokenRefusal {
  const schemeEnd = line.indexOf(' ');
  const scheme = schemeEnd === -1 ? line : line.slice(0, schemeEnd);
  if (scheme.toLowerCase() !== 'bearer') return refusalOf('AUTHENTICATION_REQUIRED', 'credentials_malformed');
  let start = scheme.length;
  while (line[start] === ' ') start += 1;
  const value = line.slice(start);
  return token68.test(value) ? value : refusalOf('INVALID_TOKEN', 'credentials_malformed');
}

/** Browsers add cookies to requests of any page (CSRF), so the page's origin must be allowed. */
function isFromAllowedPage({ rawHeaders, ownOrigin }: CredentialSource, options: CredentialOptions): boolean {
  const fetchSite = linesOf(rawHeaders, 'sec-fetch-site');
  if (fetchSite.length === 1 && fetchSite[0] === 'same-origin') return true;
  const [origin, ...others] = linesOf(rawHeaders, 'origin');
  if (origin === undefined || others.length > 0) return false;
  return origin === ownOrigin || options.isAllowedOrigin(origin);
}

/**
 * The one token of the request, or a refusal: AUTHENTICATION_REQUIRED without one, INVALID_REQUEST with several,
 * INVALID_TOKEN for a value that cannot be a token, ORIGIN_NOT_ALLOWED for a cookie or a gateway's header from an
 * origin that is not allowed.
 */
export function readCredential(source: CredentialSource, options: CredentialOptions): string | TokenRefusal {
  const { cookieName, headerName } = options;
  const authorization = linesOf(source.rawHeaders, 'authorization');
  const fromGateway = headerName === undefined ? [] : linesOf(source.rawHeaders, headerName);
  const cookies = cookieName === undefined ? [] : cookieValues(linesOf(source.rawHeaders, 'cookie'), cookieName);
  // An empty cookie, which pages set to log out, and an empty gateway header count as absent.
  const ambient = [...fromGateway, ...cookies];
  const [token = '', ...others] = ambient.filter((value) => value !== '');
  const [line] = authorization;
  const isAmbiguous =
    authorization.length > 1 ||
    fromGateway.length > 1 ||
    cookies.length > 1 ||
    others.length > 0 ||
    (line !== undefined && token !== '');
  if (isAmbiguous) return refusalOf('INVALID_REQUEST', 'credentials_ambiguous');

  if (line !== undefined && headerName === undefined) return bearerToken(line);
  if (token === '') return refusalOf('AUTHENTICATION_REQUIRED', 'credentials_missing');
  if (!isFromAllowedPage(source, options)) return refusalOf('ORIGIN_NOT_ALLOWED', 'origin_refused');
  return token68.test(token) ? token : refusalOf('INVALID_TOKEN', 'credentials_malformed');
}

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
  new ServiceError(code, reason, { claim, iss, sub, retryAfterSeconds });

export interface AuthenticationStep {
  /**
   * The principal of a request. Throws ServiceError if it has none. It is only asynchronous if the token has to be
   * verified.
   */
  readonly authenticate: (request: FastifyRequest) => Principal | Promise<Principal>;
  /** The principal, if the token was verified before. Only to prepare work: it refuses nothing. */
  readonly recall: (request: FastifyRequest) => Principal | undefined;
}

export function createAuthenticationStep(options: AuthenticationStepOptions): AuthenticationStep {
  const { authenticator, credentials, onRefusedToken } = options;

  const credentialOf = (request: FastifyRequest): string | TokenRefusal =>
    readCredential({ rawHeaders: request.raw.rawHeaders, ownOrigin: ownOrigin(request) }, credentials);

  const orThrow = (result: Principal | TokenRefusal, requestId: string): Principal => {
    if (!('refused' in result)) return result;
    onRefusedToken(result, requestId);
    throw errorOfRefusal(result);
  };

  return {
    authenticate: (request) => {
      const token = credentialOf(request);
      if (typeof token !== 'string') throw errorOfRefusal(token);
      const result = authenticator.authenticate(token);
      return result instanceof Promise ? result.then((late) => orThrow(late, request.id)) : orThrow(result, request.id);
    },
    recall: (request) => {
      const token = credentialOf(request);
      return typeof token === 'string' ? authenticator.recall(token) : undefined;
    },
  };
}
