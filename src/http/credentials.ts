// Where a request carries its access token (RFC 6750 §2.1): the Authorization header or, if they are switched on, a
// gateway's header in its place, and one cookie. Reads the raw header lines: Node joins or drops repeated ones. Query
// and body are never read.
import type { TokenRefusal } from '../authn/token-refusal.ts';

export interface CredentialOptions {
  /** JWT_COOKIE_NAME; undefined: cookies are not looked at. */
  readonly cookieName?: string;
  /** JWT_HEADER_NAME, in small letters; undefined: the Authorization header is read. */
  readonly headerName?: string;
  /** By CORS_ORIGINS: from these pages a cookie, or what a gateway makes of one, counts. */
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

const refuse = (code: TokenRefusal['code'], reason: TokenRefusal['reason']): TokenRefusal => ({
  refused: true,
  code,
  reason,
});

/** RFC 6750 §3.1: another scheme is no attempt at a bearer token, a broken value after `Bearer` is one. */
function bearerToken(line: string): string | TokenRefusal {
  const match = /^([^ ]*) *(.*)$/s.exec(line);
  const [, scheme = '', value = ''] = match ?? [];
  if (scheme.toLowerCase() !== 'bearer') return refuse('AUTHENTICATION_REQUIRED', 'credentials_malformed');
  return token68.test(value) ? value : refuse('INVALID_TOKEN', 'credentials_malformed');
}

/** A browser sends cookies along for any page that asks it to; so the page must be one that may. */
function isFromAllowedPage({ rawHeaders, ownOrigin }: CredentialSource, options: CredentialOptions): boolean {
  const fetchSite = linesOf(rawHeaders, 'sec-fetch-site');
  if (fetchSite.length === 1 && fetchSite[0] === 'same-origin') return true;
  const [origin, ...others] = linesOf(rawHeaders, 'origin');
  if (origin === undefined || others.length > 0) return false;
  return origin === ownOrigin || options.isAllowedOrigin(origin);
}

/**
 * The one token that the request carries, or why it counts as none: AUTHENTICATION_REQUIRED without one,
 * INVALID_REQUEST with several, INVALID_TOKEN when it cannot be a token, ORIGIN_NOT_ALLOWED for a cookie or a
 * gateway's header from a page that may not.
 */
export function readCredential(source: CredentialSource, options: CredentialOptions): string | TokenRefusal {
  const { cookieName, headerName } = options;
  const authorization = linesOf(source.rawHeaders, 'authorization');
  const fromGateway = headerName === undefined ? [] : linesOf(source.rawHeaders, headerName);
  const cookies = cookieName === undefined ? [] : cookieValues(linesOf(source.rawHeaders, 'cookie'), cookieName);
  // A cookie that was emptied, as pages do to log out, counts as none, and so does an empty header of a gateway.
  const ambient = [...fromGateway, ...cookies];
  const [token = '', ...others] = ambient.filter((value) => value !== '');
  const [line] = authorization;
  const isAmbiguous =
    authorization.length > 1 ||
    fromGateway.length > 1 ||
    cookies.length > 1 ||
    others.length > 0 ||
    (line !== undefined && token !== '');
  if (isAmbiguous) return refuse('INVALID_REQUEST', 'credentials_ambiguous');

  if (line !== undefined && headerName === undefined) return bearerToken(line);
  if (token === '') return refuse('AUTHENTICATION_REQUIRED', 'credentials_missing');
  if (!isFromAllowedPage(source, options)) return refuse('ORIGIN_NOT_ALLOWED', 'origin_refused');
  return token68.test(token) ? token : refuse('INVALID_TOKEN', 'credentials_malformed');
}
