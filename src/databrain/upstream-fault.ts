// The table of upstream faults: for each the public code, whether it is retried, and whether it counts as an outage.
import { ServiceError, type ErrorCode } from '../errors.ts';
import type { UpstreamReason } from '../refusal-reasons.ts';
import type { UpstreamCode } from './parse-response.ts';

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

interface FaultRow {
  readonly code: Extract<ErrorCode, `UPSTREAM_${string}`>;
  readonly reason: UpstreamReason;
  /** Whether it is retried: 429, 502, 503, 504, connection errors and attempt time-outs. */
  readonly retryable: boolean;
  /** Whether it counts for the circuit. A refused request or an invalid response is not an outage. */
  readonly outage: boolean;
}

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

/** The result of an attempt without a token. */
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
    retryAfterSeconds: code === 'UPSTREAM_UNAVAILABLE' ? toSeconds(retryAfterMs) : undefined,
  });
}

/** A 503 without a call to the upstream: the circuit is open, or the queue is full. */
export const refuseUnsent = (reason: 'circuit_open' | 'queue_full', retryAfterMs: number): ServiceError =>
  new ServiceError('UPSTREAM_UNAVAILABLE', reason, { retryAfterSeconds: toSeconds(retryAfterMs) });

const toSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));
