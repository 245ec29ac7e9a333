// The error codes of the HTTP interface with their fixed messages, and the one exception class that carries them.
// Internal reasons are in refusal-reasons.ts; http/error-reply.ts writes the response.
import type { CodeOf, Reason } from './refusal-reasons.ts';

interface ErrorRow {
  readonly status: number;
  /** Fixed message for the caller; never built from input. */
  readonly message: string;
  readonly logLevel: 'info' | 'warn' | 'error';
  /** RFC 6750 §3 challenge: `bare` names no error (no credentials were sent). */
  readonly challenge?: 'bare' | 'invalid_token';
  /** Whether the same request may succeed later without any change by the client. */
  readonly retryable: boolean;
}

export type ErrorCode =
  | 'INVALID_REQUEST'
  | 'AUTHENTICATION_REQUIRED'
  | 'INVALID_TOKEN'
  | 'TOKEN_EXPIRED'
  | 'ACCESS_DENIED'
  | 'DATA_APP_NOT_ALLOWED'
  | 'ORIGIN_NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'BODY_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'HEADERS_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'INTERNAL_ERROR'
  | 'UPSTREAM_REJECTED'
  | 'UPSTREAM_INVALID_RESPONSE'
  | 'UPSTREAM_UNAVAILABLE'
  | 'AUTHENTICATION_UNAVAILABLE'
  | 'AUDIT_UNAVAILABLE'
  | 'SHUTTING_DOWN'
  | 'UPSTREAM_TIMEOUT';

export const errorTable = {
  INVALID_REQUEST: {
    status: 400,
    message: 'The request is malformed. Send one credential and either no body or {"dataApp": "<name>"}.',
    logLevel: 'info',
    retryable: false,
  },
  AUTHENTICATION_REQUIRED: {
    status: 401,
    message: 'Send your access token as "Authorization: Bearer <JWT>".',
    logLevel: 'info',
    challenge: 'bare',
    retryable: false,
  },
  INVALID_TOKEN: {
    status: 401,
    message: 'The access token is not valid here. Log in again.',
    logLevel: 'info',
    challenge: 'invalid_token',
    retryable: false,
  },
  TOKEN_EXPIRED: {
    status: 401,
    message: 'The access token has expired. Refresh it and try once more.',
    logLevel: 'info',
    challenge: 'invalid_token',
    retryable: false,
  },
  ACCESS_DENIED: {
    status: 403,
    message: 'The policy does not allow this user to have a guest token.',
    logLevel: 'info',
    retryable: false,
  },
  DATA_APP_NOT_ALLOWED: {
    status: 403,
    message: 'This data app is not available to this user.',
    logLevel: 'info',
    retryable: false,
  },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    message: 'A token from a cookie or a gateway is accepted only in requests from an allowed origin.',
    logLevel: 'info',
    retryable: false,
  },
  NOT_FOUND: { status: 404, message: 'Nothing exists at this path.', logLevel: 'info', retryable: false },
  METHOD_NOT_ALLOWED: {
    status: 405,
    message: 'This method is not supported here. Use POST to get a guest token.',
    logLevel: 'info',
    retryable: false,
  },
  BODY_TOO_LARGE: { status: 413, message: 'The body is larger than 4 KiB.', logLevel: 'info', retryable: false },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    message: 'The body must be JSON, sent with "Content-Type: application/json".',
    logLevel: 'info',
    retryable: false,
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    message: "The request's headers or its access token are too large. Do not retry; report this to the operator.",
    logLevel: 'info',
    retryable: false,
  },
  RATE_LIMITED: {
    status: 429,
    message: 'Too many requests. Wait as long as Retry-After says.',
    logLevel: 'info',
    retryable: true,
  },
  INTERNAL_ERROR: {
    status: 500,
    message: 'The request failed with an internal error. Report the request id to the operator.',
    logLevel: 'error',
    retryable: false,
  },
  UPSTREAM_REJECTED: {
    status: 502,
    message: 'The dashboard service refused the request. Report the request id to the operator.',
    logLevel: 'error',
    retryable: false,
  },
  UPSTREAM_INVALID_RESPONSE: {
    status: 502,
    message: 'The dashboard service returned an invalid response. Report the request id to the operator.',
    logLevel: 'error',
    retryable: false,
  },
  UPSTREAM_UNAVAILABLE: {
    status: 503,
    message: 'The dashboard service is not available. Wait as long as Retry-After says.',
    logLevel: 'warn',
    retryable: true,
  },
  AUTHENTICATION_UNAVAILABLE: {
    status: 503,
    message: 'Access tokens cannot be verified at the moment. Try again later.',
    logLevel: 'warn',
    retryable: true,
  },
  AUDIT_UNAVAILABLE: {
    status: 503,
    message: 'The audit log is not available, so no guest token is issued. Try again later.',
    logLevel: 'error',
    retryable: true,
  },
  SHUTTING_DOWN: {
    status: 503,
    message: 'This instance is shutting down. Try again elsewhere.',
    logLevel: 'info',
    retryable: true,
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    message: 'The dashboard service did not respond in time. Try again later.',
    logLevel: 'warn',
    retryable: true,
  },
} as const satisfies Record<ErrorCode, ErrorRow>;

const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(errorTable, text);

/** Every code, in the order of the table. */
export const errorCodes: readonly ErrorCode[] = Object.keys(errorTable).filter(isErrorCode);

/** The row of a code, with the optional columns. */
export const errorRow = (code: ErrorCode): ErrorRow => errorTable[code];

interface ServiceErrorDetail {
  /** Replaces the fixed sentence; only a validation message that the operator wrote in the policy. */
  readonly message?: string | undefined;
  /** Replaces the row's status where HTTP has a more exact one. */
  readonly status?: 505;
  /** Name of the claim that was missing or unusable; never its value. */
  readonly claim?: string | undefined;
  /** Position in the policy file, `file:line:column`. */
  readonly position?: string | undefined;
  /** Why the policy refuses, for `explain` only: names types and claims, never a value. In no response and no log. */
  readonly problem?: string | undefined;
  /** The upstream's error code, already matched against the known list. */
  readonly upstreamCode?: string | undefined;
  /** The caller's network, shortened; for the audit line of an address limit. */
  readonly address?: string | undefined;
  /** Whole seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
  /** The verified caller, if there is one; for the audit line. */
  readonly iss?: string | undefined;
  readonly sub?: string | number | undefined;
}

/** Whole seconds for `Retry-After`, at least 1. */
export const toRetryAfterSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

/**
 * A refusal, thrown to the HTTP layer, with one of the codes of its reason. Its `message` holds only code and reason,
 * so logging it leaks nothing. Only an INTERNAL_ERROR has a stack: collecting one costs more than most requests.
 */
export class ServiceError<R extends Reason = Reason> extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly reason: Reason;
  readonly detail: ServiceErrorDetail;

  constructor(code: CodeOf<R>, reason: R, detail: ServiceErrorDetail = {}) {
    const { stackTraceLimit } = Error;
    if (code !== 'INTERNAL_ERROR') Error.stackTraceLimit = 0;
    super(`${code} (${reason})`);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.reason = reason;
    this.detail = detail;
  }
}

/** Use it where the error is passed on: `instanceof` alone gives it the type ServiceError<any>. */
export const isServiceError = (error: unknown): error is ServiceError => error instanceof ServiceError;
