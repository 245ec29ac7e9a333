// Serialises a grant to the request body: adds `expiryTime` and validates the body against the upstream's JSON Schema.
// Nothing else is added, dropped or coerced.
import { ServiceError } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';

export interface RequestBody {
  /** JSON text in UTF-8. */
  readonly bytes: Buffer;
  /** The `expiryTime` in it, whole milliseconds. */
  readonly lifetimeMs: number;
}

/** @param nowMs wall time in milliseconds since the epoch, just before the body is sent */
export type ToRequestBody = (grant: Grant, nowMs: number) => RequestBody;

/** The token's lifetime starts when the upstream reads the request: time reserved for sending it. */
const travelMs = 1000;
const minLifetimeMs = 1000;

/**
 * @param isValid whether a body with `expiryTime` is one of POST /api/v2/guest-token/create
 *
 * The returned function throws ServiceError: INTERNAL_ERROR for an invalid body (a bug: the
 * decision should have refused it), TOKEN_EXPIRED if a token bound to the access token's `exp` would have no lifetime
 * left.
 */
export function createToRequestBody(isValid: (body: unknown) => boolean): ToRequestBody {
  return (grant, nowMs) => {
    const untilNotAfter = grant.notAfterMs === undefined ? Infinity : grant.notAfterMs - nowMs - travelMs;
    const lifetimeMs = Math.floor(Math.min(grant.lifetimeMs, untilNotAfter));
    if (untilNotAfter < minLifetimeMs) throw new ServiceError('TOKEN_EXPIRED', 'access_token_ends_too_soon');
    const body = { ...grant.request, expiryTime: lifetimeMs };
    // Without expiryTime, or with null (JSON for NaN), the upstream's tokens never expire.
    if (!Number.isSafeInteger(lifetimeMs) || lifetimeMs < 1) throw new ServiceError('INTERNAL_ERROR', 'bug');
    if (!isValid(body)) throw new ServiceError('INTERNAL_ERROR', 'body_refused');
    return { bytes: Buffer.from(JSON.stringify(body)), lifetimeMs };
  };
}
