// Sends one POST /guest-token and interprets the response. Does not trust the response: gateways, captive portals and
// login pages respond with any status and with HTML. Does not decide about retries.
import { createError, type GuestTokenError } from './guest-token-error.ts';

export interface TokenRequest {
  readonly url: string | URL;
  readonly dataApp?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
}

export interface TokenResponse {
  readonly token: string;
  /** The remaining lifetime in milliseconds. */
  readonly lifetime: number;
  /** Changes with the rights of the token; null if it cannot be read. */
  readonly grant: string | null;
}

/** 0 if the header is not a number of whole seconds. Dates are not read, because the browser's clock may be wrong. */
const secondsOf = (headers: Headers, name: string): number =>
  Number(/^\d{1,9}$/.exec(headers.get(name) ?? '')?.[0] ?? 0);

export const unreachable = (): GuestTokenError => createError('NETWORK_ERROR', 'The proxy cannot be reached.');

interface ProxyBody {
  readonly token?: unknown;
  readonly error?: { readonly code?: unknown; readonly message: string; readonly requestId: string };
}

/**
 * Rejects with a GuestTokenError.
 * @param accessToken empty: the browser's cookies are sent instead
 */
export async function requestToken(
  { url, dataApp, fetch = globalThis.fetch }: TokenRequest,
  accessToken: string,
  signal: AbortSignal,
): Promise<TokenResponse> {
  /** Used if the header with the lifetime is missing or cannot be read, for example because a gateway removes it. */
  const assumedLifetimeSeconds = 120;
  const maxRetryAfterSeconds = 300;
  const response = await fetch(url, {
    method: 'POST',
    // Never send both: the proxy refuses two credentials in one request.
    credentials: accessToken ? 'omit' : 'include',
    redirect: 'error',
    headers: {
      ...(accessToken && { authorization: `Bearer ${accessToken}` }),
      ...(dataApp && { 'content-type': 'application/json' }),
    },
    body: dataApp ? JSON.stringify({ dataApp }) : null,
    signal,
  }).catch(() => {
    throw unreachable();
  });
  const { status, ok, headers } = response;
  const body = (await response.json().catch(() => null)) as ProxyBody | null;

  const { token, error } = body ?? {};
  if (ok && token && typeof token === 'string') {
    const seconds = secondsOf(headers, 'guest-token-expires-in') || assumedLifetimeSeconds;
    return { token, lifetime: seconds * 1000, grant: headers.get('guest-token-grant') };
  }
  const retryAfter = Math.min(secondsOf(headers, 'retry-after'), maxRetryAfterSeconds) * 1000;
  if (ok || typeof error?.code !== 'string')
    throw createError('INVALID_RESPONSE', `Unexpected response (${status}).`, { status, retryAfter });
  const terminal = status < 500 && status !== 408 && status !== 429;
  throw createError(error.code, error.message, { terminal, status, retryAfter, requestId: error.requestId });
}
