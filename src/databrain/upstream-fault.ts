// Every way in which a call to the upstream can fail, and what follows from each: the public code, whether another
// attempt is worth it, whether it is a sign of an outage. One table, so that no fault is without a decision.
import { ServiceError, type ErrorCode, type UpstreamReason } from '../errors.ts';
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
  /** As DATABRAIN_MAX_RETRIES says: 429, 502, 503, 504, connection errors and attempt time-outs. */
  readonly retryable: boolean;
  /** Counts for the circuit. An answer that blames us, or that merely makes no sense, is no outage. */
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
  /** Not HTTP/1.1: contradicting lengths, a protocol switch, junk. Asking again would leave tokens that nobody holds. */
  answer_malformed: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_invalid_response',
    retryable: false,
    outage: true,
  },
  /** A connection error in the middle of an answer. */
  answer_cut_off: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_invalid_response',
    retryable: true,
    outage: true,
  },
  /** Somebody else's token over a used connection: most likely the answer to the call before, sent twice. */
  answer_misplaced: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_token_repeated',
    retryable: true,
    outage: false,
  },
  /** Somebody else's token over a fresh connection: the upstream, or a cache before it, gives tokens out twice. */
  token_repeated: {
    code: 'UPSTREAM_INVALID_RESPONSE',
    reason: 'upstream_token_repeated',
    retryable: false,
    outage: false,
  },
  rate_limited: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_rate_limited', retryable: true, outage: false },
  /** 500 and the like: the request reached code that broke; asking again would break it again. */
  failed: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_error', retryable: false, outage: true },
  /** 502, 503, 504: said by what stands before it, or by it before it began. */
  overloaded: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_error', retryable: true, outage: true },
  unreachable: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_unreachable', retryable: true, outage: true },
  /** A kept connection turned out to have been closed while it was idle: says nothing about the upstream's health. */
  connection_stale: { code: 'UPSTREAM_UNAVAILABLE', reason: 'upstream_unreachable', retryable: true, outage: false },
  timed_out: { code: 'UPSTREAM_TIMEOUT', reason: 'upstream_timeout', retryable: true, outage: true },
} as const satisfies Record<Fault, FaultRow>;

export const faultRow = (fault: Fault): FaultRow => faultTable[fault];

/** What one attempt came to when it gave no token. */
export interface Failure {
  readonly fault: Fault;
  /** The upstream's code, only if it is a documented one: what is unknown is not carried further. */
  readonly upstreamCode?: UpstreamCode | undefined;
  /** The upstream's `Retry-After`, already read and bounded, in milliseconds from the answer. */
  readonly retryAfterMs?: number | undefined;
  /** Node's or undici's error code, such as ECONNREFUSED; for the log. */
  readonly errorCode?: string | undefined;
}

/** The refusal that the caller sees. `retryAfterMs` is our own advice; it is rounded up to whole seconds. */
export function toServiceError(failure: Failure, retryAfterMs: number): ServiceError {
  const { code, reason } = faultRow(failure.fault);
  return new ServiceError(code, reason, {
    ...(failure.upstreamCode === undefined ? {} : { upstreamCode: failure.upstreamCode }),
    ...(code === 'UPSTREAM_UNAVAILABLE' ? { retryAfterSeconds: toSeconds(retryAfterMs) } : {}),
  });
}

/** A 503 that costs the upstream nothing: the circuit is open, or the queue has no room. */
export const refuseUnsent = (reason: 'circuit_open' | 'queue_full', retryAfterMs: number): ServiceError =>
  new ServiceError('UPSTREAM_UNAVAILABLE', reason, { retryAfterSeconds: toSeconds(retryAfterMs) });

const toSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));
