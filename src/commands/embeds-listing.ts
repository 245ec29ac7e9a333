// Fetches the embeds of an API key from Databrain: GET /api/v2/data-app/embeds. Mints nothing. Uses only ids and names
// of the response. Errors do not quote it, because it may repeat the key.
import { memberOf } from '../strict-json.ts';
import { readBody, type Egress } from '../egress/egress.ts';
import type { EmbedsListing } from '../policy/trial/check-data-app.ts';
import type { Secret } from '../secrets/secret.ts';

const maxBytes = 4 * 1024 * 1024;

/** Why there is no listing: the setting, the problem and the fix. */
export interface ListingFailure {
  readonly at: 'url' | 'key';
  readonly problem: string;
  readonly fix: string;
}

export type ListingResult = { readonly listing: EmbedsListing } | { readonly failure: ListingFailure };

const fail = (at: ListingFailure['at'], problem: string, fix: string): ListingResult => ({
  failure: { at, problem, fix },
});

/** The listing in a response body; undefined if it is not one. */
export function parseListing(text: string): EmbedsListing | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const error = memberOf(body, 'error');
  const data = memberOf(body, 'data');
  if ((error !== undefined && error !== null) || !Array.isArray(data)) return undefined;
  const strings = (read: (embed: unknown) => unknown): ReadonlySet<string> =>
    new Set(data.map(read).filter((value): value is string => typeof value === 'string' && value !== ''));
  return {
    embedIds: strings((embed) => memberOf(embed, 'embedId')),
    dashboardIds: strings((embed) => memberOf(memberOf(embed, 'externalDashboard'), 'externalDashboardId')),
    dataAppNames: strings((embed) => memberOf(memberOf(embed, 'embedMetadata'), 'dataAppName')),
  };
}

/** One GET with the key, without redirects, within `timeoutMs`. Never throws. */
export async function fetchListing(
  egress: Egress,
  apiUrl: string,
  key: Secret,
  timeoutMs: number,
): Promise<ListingResult> {
  const address = `${apiUrl.replace(/\/+$/, '')}/api/v2/data-app/embeds`;
  const unusable = fail(
    'url',
    'does not respond like Databrain',
    "Set the address of Databrain's API, with its path prefix",
  );
  const agent = egress.createAgent({ connectTimeoutMs: timeoutMs });
  try {
    const { origin, pathname, search } = new URL(address);
    const { statusCode, body } = await agent.request({
      origin,
      path: pathname + search,
      method: 'GET',
      headers: {
        authorization: `Bearer ${key.reveal()}`,
        accept: 'application/json',
        'accept-encoding': 'identity',
      },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal: AbortSignal.timeout(timeoutMs),
    });
    body.on('error', () => undefined);
    const bytes = await readBody(body, maxBytes);
    if (bytes === undefined) return fail('url', 'responds with more than 4 MiB', "Set the address of Databrain's API");
    if (statusCode >= 300 && statusCode < 400) {
      return fail('url', `redirects (${statusCode}), which is not followed`, 'Set the target address, if it is yours');
    }
    if (statusCode === 407) {
      return fail(
        'url',
        'is behind an egress proxy that requires authentication (407)',
        'Set user and password in the address of the egress proxy',
      );
    }
    if (statusCode === 429) return fail('url', 'limits our requests (429)', 'Try again in two minutes');
    if (statusCode >= 500) return fail('url', `is failing (${statusCode})`, 'Try again later');
    // Databrain responds with 400 or 401 to a bad key.
    if (statusCode === 400 || statusCode === 401 || statusCode === 403) {
      return fail(
        'key',
        `is refused by Databrain (${statusCode})`,
        'Set the API key of the data app, not a service token',
      );
    }
    const listing = statusCode === 200 ? parseListing(bytes.toString('utf8')) : undefined;
    return listing === undefined ? unusable : { listing };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const word = typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no connection';
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    return fail(
      'url',
      timedOut ? 'does not respond in time' : `cannot be reached (${word})`,
      'Check the address and the network',
    );
  } finally {
    void agent.destroy();
  }
}
