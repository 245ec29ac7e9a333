// The table of upstream faults: for each the public code, whether it is retried, and whether it counts as an outage;
// and the faults that undici's errors stand for.
import { errors } from 'undici';
import { ServiceError, toRetryAfterSeconds } from '../errors.ts';
import type { CodeOf, UpstreamReason } from '../refusal-reasons.ts';

export type Fault =
  | 'key_refused'
  | 'request_refused'
  | 'redirected'
  | 'unusable_answer'
  | 'answer_too_large'
  | 'answer_malformed'
  | 'answer_cut_off'
  | 'answer_misplaced'
  | 'token_repeated'
  | 'rate_limited'
  | 'failed'
  | 'overloaded'
  | 'unreachable'
  | 'connection_stale'
  | 'timed_out';

/** The fault for each documented code of the upstream, with the spellings seen in practice. */
export const codeFaults = {
  AUTHENTICATION_ERROR: 'key_refused',
  AUTHENTICATION_ERR: 'key_refused',
  EXPIRED_TOKEN: 'key_refused',
  INVALID_REQUEST_BODY: 'request_refused',
  CLIENT_ID_ERROR: 'request_refused',
  DASHBOARD_PARAM_ERROR: 'request_refused',
  APP_FILTER_PARAM_ERROR: 'request_refused',
  RLS_SETTINGS_PARAM_ERROR: 'request_refused',
  DATA_APP_ID_ERROR: 'request_refused',
  DATA_APP_NOT_FOUND: 'request_refused',
  WORKSPACE_ID_ERROR: 'request_refused',
  INVALID_PERMISSIONS: 'request_refused',
  RATE_LIMIT_EXCEEDED: 'rate_limited',
  INTERNAL_SERVER_ERROR: 'failed',
} as const satisfies Record<string, Fault>;

export type UpstreamCode = keyof typeof codeFaults;

/** A reason with its code. */
type UpstreamRefusal = {
  [R in UpstreamReason]: { readonly code: Extract<CodeOf<R>, `UPSTREAM_${string}`>; readonly reason: R };
}[UpstreamReason];

type FaultRow = UpstreamRefusal & {
  /** Whether it is retried: 429, 502, 503, 504, connection errors and time-outs of a call. */
  readonly retryable: boolean;
  /** Whether it counts for the circuit. A refused request or an invalid response is not an outage. */
  readonly outage: boolean;
};

const faultTable = {
  key_refused: { code: 'UPSTREAM_REJECTED', reason: 'upstream_key_refused', retryable: false, outage: false },
  request_refused: { code: 'UPSTREAM_REJECTED', reason: 'upstream_rejected', retryable: false, outage: false },
  redirected: { code: 'UPSTREAM_INVALID_RESPONSE', reason: 'upstream_redirect', retryable: false, outage: false },
  unusable_answer: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_invalid_response',
    retryable: false,
    outage: false,
  },
  answer_too_large: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_too_large',
    retryable: false,
    outage: false,
  },
  /** Not valid HTTP/1.1: contradicting lengths, a protocol switch, junk. A retry could mint unused tokens. */
  answer_malformed: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_invalid_response',
    retryable: false,
    outage: true,
  },
  /** A connection error in the middle of a response. */
  answer_cut_off: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_invalid_response',
    retryable: true,
    outage: true,
  },
  /** Another user's token over a reused connection: probably the response to the call before, sent twice. */
  answer_misplaced: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_token_repeated',
    retryable: true,
    outage: false,
  },
  /** Another user's token over a new connection: the upstream, or a cache in front of it, returns tokens twice. */
  token_repeated: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_token_repeated',
    retryable: false,
    outage: false,
  },
  rate_limited: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_rate_limited', retryable: true, outage: false },
  /** 500 and similar: the request itself fails, so a retry would fail too. */
  failed: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_error', retryable: false, outage: true },
  /** 502, 503, 504: from a gateway, or before the request was processed. */
  overloaded: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_error', retryable: true, outage: true },
  unreachable: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_unreachable', retryable: true, outage: true },
  /** A reused connection was closed while it was idle: no sign of the upstream's health. */
  connection_stale: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_unreachable', retryable: true, outage: false },
  timed_out: { code: 'UPSTREAM_TIMEOUT', reason: 'upstream_timeout', retryable: true, outage: true },
} as const satisfies Record<Fault, FaultRow>;

export const faultRow = (fault: Fault): FaultRow => faultTable[fault];

/** The result of a call without a token. */
export interface Failure {
  readonly fault: Fault;
  /** The upstream's code, only if it is a documented one. */
  readonly upstreamCode?: UpstreamCode | undefined;
  /** The upstream's `Retry-After`, parsed and bounded, in milliseconds from the response. */
  readonly retryAfterMs?: number | undefined;
  /** Node's or undici's error code, such as ECONNREFUSED; for the log. */
  readonly errorCode?: string | undefined;
}

/** The refusal for the caller. `retryAfterMs` is rounded up to whole seconds. */
export function upstreamError(failure: Failure, retryAfterMs: number): ServiceError {
  const { code, reason } = faultRow(failure.fault);
  return new ServiceError(code, reason, {
    upstreamCode: failure.upstreamCode,
    retryAfterSeconds: code === 'UPSTREAM_UNAVAILABLE' ? toRetryAfterSeconds(retryAfterMs) : undefined,
  });
}

/** A 503 without a call to the upstream: the circuit is open, or the queue is full. */
export const refuseUnsent = (reason: 'circuit_open' | 'queue_full', retryAfterMs: number): ServiceError =>
  new ServiceError('UPSTREAM_UNAVAILABLE', reason, { retryAfterSeconds: toRetryAfterSeconds(retryAfterMs) });

/** Messages of undici's SocketError for a closed connection. Its others mean an unexpected response. */
const ends: ReadonlySet<string> = new Set(['other side closed', 'closed']);

/** The parser's message for a truncated response, which has no error code. */
const cutOff = 'Invalid EOF state';

/**
 * Whether the bytes received are not a response, or a response without a request.
 * @param headersCame whether the headers of the response were complete before the error
 */
export function isProtocolViolation(error: unknown, headersCame: boolean): boolean {
  if (error instanceof errors.SocketError) return !ends.has(error.message);
  if (error instanceof errors.HTTPParserError) return !error.message.includes(cutOff);
  // Before the headers are complete, a length error means contradicting lengths.
  if (error instanceof errors.ResponseContentLengthMismatchError) return !headersCame;
  return error instanceof errors.HeadersOverflowError;
}

/** The error's code only, because messages of TLS and DNS errors quote the other side. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,59}$/.test(code) ? code : undefined;
}
