// Where a request carries its access token (RFC 6750 §2.1, contract §2 and §4): the Authorization header or, if it is
// switched on, one cookie. Reads the raw header lines: Node joins or drops repeated ones. Query and body are never read.
import { ServiceError } from '../errors.ts';

export interface CredentialOptions {
  /** JWT_COOKIE_NAME; undefined: cookies are not looked at. */
  readonly cookieName?: string;
  /** Whether a cookie counts from a page of this origin: CORS_ORIGINS. */
  readonly isAllowedOrigin: (origin: string) => boolean;
}

export interface CredentialSource {
  /** Names and values in turn, as Node's `request.raw.rawHeaders`. */
  readonly rawHeaders: readonly string[];
  /** The origin at which the caller reached us, `https://host[:port]`; undefined if HTTP/1.0 did not name a host. */
  readonly ownOrigin: string | undefined;
}

/** RFC 9110 §11.2, which RFC 6750 §2.1 calls b64token. */
const token68 = /^[A-Za-z0-9\-._~+/]+=*$/;

function linesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
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

/** RFC 6750 §3.1: another scheme is no attempt at a bearer token, a broken value after `Bearer` is one. */
function bearerToken(line: string): string {
  const match = /^([^ ]*) *(.*)$/s.exec(line);
  const [, scheme = '', value = ''] = match ?? [];
  if (scheme.toLowerCase() !== 'bearer') throw new ServiceError('AUTHENTICATION_REQUIRED', 'credentials_malformed');
  if (!token68.test(value)) throw new ServiceError('INVALID_TOKEN', 'credentials_malformed');
  return value;
}

/** A browser sends cookies along for any page that asks it to; so the page must be one that may (contract §4). */
function checkOrigin(source: CredentialSource, options: CredentialOptions): void {
  const fetchSite = linesOf(source.rawHeaders, 'sec-fetch-site');
  if (fetchSite.length === 1 && fetchSite[0] === 'same-origin') return;
  const [origin, ...others] = linesOf(source.rawHeaders, 'origin');
  const allowed = origin !== undefined && (origin === source.ownOrigin || options.isAllowedOrigin(origin));
  if (!allowed || others.length > 0) throw new ServiceError('ORIGIN_NOT_ALLOWED', 'origin_refused');
}

/**
 * The one token that the request carries. Throws ServiceError: AUTHENTICATION_REQUIRED without one, INVALID_REQUEST
 * with several, INVALID_TOKEN when it cannot be a token, ORIGIN_NOT_ALLOWED for a cookie from a page that may not.
 */
export function readCredential(source: CredentialSource, options: CredentialOptions): string {
  const authorization = linesOf(source.rawHeaders, 'authorization');
  const cookies =
    options.cookieName === undefined ? [] : cookieValues(linesOf(source.rawHeaders, 'cookie'), options.cookieName);
  const [line] = authorization;
  // A cookie that was emptied, as pages do to log out, counts as none.
  const [cookie = ''] = cookies;
  const isAmbiguous = authorization.length > 1 || cookies.length > 1 || (line !== undefined && cookie !== '');
  if (isAmbiguous) throw new ServiceError('INVALID_REQUEST', 'credentials_ambiguous');

  if (line !== undefined) return bearerToken(line);
  if (cookie === '') throw new ServiceError('AUTHENTICATION_REQUIRED', 'credentials_missing');
  checkOrigin(source, options);
  if (!token68.test(cookie)) throw new ServiceError('INVALID_TOKEN', 'credentials_malformed');
  return cookie;
}
