// CORS headers (Fetch standard §3.2) for the origins of CORS_ORIGINS, on every response, including errors. Without a
// list there are none.
import type { IncomingHttpHeaders } from 'node:http';

export interface CorsOptions {
  /** Exact origins; in `https://*.app.example.com` the star stands for exactly one label. */
  readonly origins: readonly string[];
  /** Whether browsers may send cookies; only with JWT_COOKIE_NAME. */
  readonly credentials: boolean;
}

type Headers = Readonly<Record<string, string>>;

export interface Cors {
  readonly isAllowed: (origin: string) => boolean;
  /** The response headers for this origin. For another origin, or none, only `Vary`. */
  readonly headersFor: (origin: string | undefined) => Headers;
  /**
   * The same for a request that could not be parsed, so that its origin may be unknown. If only one origin is allowed,
   * its headers are safe for everyone: browsers compare them with the page's own origin.
   */
  readonly headersForUnread: (origin: string | undefined) => Headers;
  /** The preflight response for a page of an allowed origin. */
  readonly preflightHeaders: (request: IncomingHttpHeaders) => Headers;
}

const exposedHeaders = [
  'Guest-Token-Expires-In',
  'Guest-Token-Grant',
  'X-Request-Id',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'WWW-Authenticate',
].join(', ');

const preflightMaxAgeSeconds = 600;

const wildcard = 'https://*.';
/** One label of a host name as browsers send it: lower case, including punycode. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A list of header names (RFC 9110 §5.6.2). */
const fieldNames = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/;
const maxFieldNamesLength = 2_048;
const usualFieldNames: readonly string[] = ['Authorization', 'Content-Type', 'X-Request-Id'];

/** The usual header names, then those that the preflight asks for, in its order. */
function allowedFieldNames(wanted: string | undefined): string {
  const isListed = wanted !== undefined && wanted.length <= maxFieldNamesLength && fieldNames.test(wanted);
  const names = new Map(usualFieldNames.map((name) => [name.toLowerCase(), name]));
  for (const name of isListed ? wanted.split(/[ \t]*,[ \t]*/) : []) {
    if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
  }
  return [...names.values()].join(', ');
}

function createOriginCheck(origins: readonly string[]): (origin: string) => boolean {
  const exact = new Set(origins.filter((origin) => !origin.startsWith(wildcard)));
  const parents = new Set(
    origins.filter((origin) => origin.startsWith(wildcard)).map((origin) => origin.slice(wildcard.length)),
  );
  return (origin) => {
    if (exact.has(origin)) return true;
    if (parents.size === 0 || !origin.startsWith('https://')) return false;
    const dot = origin.indexOf('.');
    return dot > 0 && parents.has(origin.slice(dot + 1)) && label.test(origin.slice('https://'.length, dot));
  };
}

export function createCors({ origins, credentials }: CorsOptions): Cors {
  const isAllowed = createOriginCheck(origins);
  const others: Headers = origins.length === 0 ? {} : { vary: 'Origin' };
  const headersFor = (origin: string | undefined): Headers =>
    origin === undefined || !isAllowed(origin)
      ? others
      : {
          vary: 'Origin',
          'access-control-allow-origin': origin,
          'access-control-expose-headers': exposedHeaders,
          ...(credentials && { 'access-control-allow-credentials': 'true' }),
        };

  return {
    isAllowed,
    headersFor,
    headersForUnread: (origin) => headersFor(origin ?? (origins.length === 1 ? origins[0] : undefined)),
    preflightHeaders: (request) => {
      const { origin } = request;
      if (typeof origin !== 'string' || !isAllowed(origin)) return {};
      return {
        'access-control-allow-methods': 'POST',
        // Allow every header, because tracing tools add their own and the service reads only the documented ones.
        'access-control-allow-headers': allowedFieldNames(request['access-control-request-headers']),
        'access-control-max-age': String(preflightMaxAgeSeconds),
      };
    },
  };
}
