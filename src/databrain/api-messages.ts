// The messages of the one call to Databrain's API, POST /api/v2/guest-token/create: writes the body of a request, and
// parses a response to a guest token or a fault. The parser returns only a token or a code of a known list, never other
// text of the upstream. Also parses `Retry-After`. Pure.
import { ServiceError } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import { codeFaults, type Fault, type UpstreamCode } from './upstream-fault.ts';

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
 * @param isValid whether a body with `expiryTime` is valid for POST /api/v2/guest-token/create
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

/** For responses without a known code. Only the first few hundred characters are checked. */
const messageFaults: readonly (readonly [RegExp, Fault])[] = [
  [/\b(?:invalid|expired|incorrect|missing|unknown|wrong) (?:api )?(?:key|token)\b/i, 'key_refused'],
  [
    /\bapi[ _-]?(?:key|token) (?:is |has |was )?(?:invalid|expired|incorrect|missing|not valid|wrong)\b/i,
    'key_refused',
  ],
  [/\b(?:unauthori[sz]ed|authentication (?:error|failed|required))\b/i, 'key_refused'],
  [/\b(?:rate limit|too many requests)/i, 'rate_limited'],
  [/\bdata ?app (?:was )?not found\b/i, 'request_refused'],
];

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface UpstreamResponse {
  readonly status: number;
  /** As received. Compressed responses are not requested and not read. */
  readonly contentEncoding: string | undefined;
  readonly body: Uint8Array;
}

export type ParsedResponse =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly upstreamCode?: UpstreamCode | undefined };

/**
 * Parses one complete response. A token needs all of: status 200, a JSON object, `error` absent or null, and an own
 * member `token` that is exactly a UUID. The `Content-Type` is ignored, because gateways change it.
 * Everything else is a fault, classified by the upstream's code, then its message, then the status. Never throws.
 */
export function parseResponse({ status, contentEncoding, body }: UpstreamResponse): ParsedResponse {
  if (status >= 300 && status <= 399) return { kind: 'fault', fault: 'redirected' };
  const document = isPlain(contentEncoding) ? parseObject(body) : undefined;
  const error = document?.['error'] ?? undefined;
  if (document !== undefined && status === 200 && error === undefined) {
    const token = document['token'];
    if (typeof token === 'string' && uuid.test(token)) return { kind: 'token', token };
  }
  return classify(status, error ?? document);
}

const isPlain = (contentEncoding: string | undefined): boolean =>
  contentEncoding === undefined || /^\s*(?:identity)?\s*$/i.test(contentEncoding);

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses JSON to an object without a prototype, so that only its own members are found. */
function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(body));
    return ownMembers(value);
  } catch {
    return undefined;
  }
}

function ownMembers(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.assign(Object.create(null) as Record<string, unknown>, value);
}

/** `error` is absent, an object or a string. Some versions have code and message at the top level. */
function classify(status: number, error: unknown): ParsedResponse {
  const members = ownMembers(error);
  const texts = members === undefined ? [error] : [members['code'], members['error'], members['message']];
  const code = texts.find(isUpstreamCode);
  const byStatus = faultOfStatus(status);
  if (code !== undefined) {
    // A gateway's 503 in the vendor's usual format is still a 503, so it is retried.
    const isRetryable = byStatus === 'overloaded' || byStatus === 'rate_limited';
    const fault = codeFaults[code] === 'failed' && isRetryable ? byStatus : codeFaults[code];
    return { kind: 'fault', fault, upstreamCode: code };
  }
  if (byStatus !== 'rate_limited') {
    for (const text of texts) {
      if (typeof text !== 'string') continue;
      const match = messageFaults.find(([pattern]) => pattern.test(text.slice(0, 300)));
      if (match !== undefined) return { kind: 'fault', fault: match[1] };
    }
  }
  return { kind: 'fault', fault: byStatus };
}

const isUpstreamCode = (value: unknown): value is UpstreamCode =>
  typeof value === 'string' && Object.hasOwn(codeFaults, value);

function faultOfStatus(status: number): Fault {
  if (status === 401) return 'key_refused';
  if (status === 429) return 'rate_limited';
  if (status === 502 || status === 503 || status === 504) return 'overloaded';
  if (status >= 500) return 'failed';
  if (status >= 400) return 'request_refused';
  return 'unusable_answer';
}

/** The maximum of `Retry-After`: longer values than the vendor's rate window are cut. */
export const maxRetryAfterMs = 120_000;

/** The three forms of RFC 9110 §5.6.7. Date.parse alone also accepts junk. */
const httpDates: readonly RegExp[] = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/**
 * Parses `Retry-After` (RFC 9110 §10.2.3): whole seconds or an HTTP date. Returns the milliseconds to wait from now,
 * between 0 (a date in the past) and {@link maxRetryAfterMs}; undefined for anything else.
 * @param nowMs wall time in milliseconds since the epoch, for dates
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, maxRetryAfterMs);
  if (!httpDates.some((form) => form.test(text))) return undefined;
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - nowMs), maxRetryAfterMs);
}
