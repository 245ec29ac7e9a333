// The error codes of the HTTP interface with their fixed messages, and the one exception class that carries them.
// Internal reasons are in reasons.ts; http/error-reply.ts writes the response.

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
    message: 'A token that the browser or a gateway adds by itself counts only in requests from an allowed origin.',
    logLevel: 'info',
    retryable: false,
  },
  NOT_FOUND: { status: 404, message: 'Nothing exists at this path.', logLevel: 'info', retryable: false },
  METHOD_NOT_ALLOWED: {
    status: 405,
    message: 'This method is not supported here. Use POST /guest-token to get a guest token.',
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
    message: 'The dashboard service did not answer in time. Try again later.',
    logLevel: 'warn',
    retryable: true,
  },
} as const satisfies Record<ErrorCode, ErrorRow>;

const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(errorTable, text);

/** Every code, in the order of the table. */
export const errorCodes: readonly ErrorCode[] = Object.keys(errorTable).filter(isErrorCode);

/** The row of a code, with the optional columns. */
export const errorRow = (code: ErrorCode): ErrorRow => errorTable[code];

/** Why a request was refused, for the operator only: in the audit line and in metrics, never in a response. */
export type Reason = AuthnReason | PolicyReason | UpstreamReason | EdgeReason;

/** Reasons of `authn/`: what was wrong with the credentials. */
export const authnReasons = [
  'credentials_missing',
  'credentials_malformed',
  'credentials_ambiguous',
  'token_too_large',
  'token_malformed',
  'token_header_refused',
  'token_type_refused',
  'algorithm_refused',
  'issuer_refused',
  'audience_refused',
  'key_unknown',
  'signature_invalid',
  'claim_missing',
  'claim_invalid',
  'token_expired',
  'token_not_yet_valid',
  'token_issued_in_future',
  'token_lifetime_too_long',
  'subject_refused',
  'keys_unavailable',
  'key_not_looked_up',
  'origin_refused',
] as const;
export type AuthnReason = (typeof authnReasons)[number];

/** Reasons of `policy/`: why the policy gives nothing. */
export const policyReasons = [
  'data_app_unknown',
  'data_app_not_named',
  'data_app_not_for_user',
  'validation_refused',
  'expression_failed',
  'client_id_refused',
  'filter_value_refused',
  'value_refused',
  'access_token_ends_too_soon',
] as const;
export type PolicyReason = (typeof policyReasons)[number];

/** Reasons of `databrain/`: why no guest token was minted. */
export const upstreamReasons = [
  'body_refused',
  'upstream_rejected',
  'upstream_key_refused',
  'upstream_invalid_response',
  'upstream_redirect',
  'upstream_too_large',
  'upstream_token_repeated',
  'upstream_rate_limited',
  'upstream_error',
  'upstream_unreachable',
  'upstream_timeout',
  'circuit_open',
  'queue_full',
  'api_key_missing',
] as const;
export type UpstreamReason = (typeof upstreamReasons)[number];

/** Reasons of `http/`: what was wrong with the request itself. */
export const edgeReasons = [
  'body_malformed',
  'body_too_large',
  'media_type',
  'not_found',
  'method',
  'host_refused',
  'path_malformed',
  'version_refused',
  'headers_too_large',
  'caller_gone',
  'address_limit',
  'user_limit',
  'audit_unavailable',
  'shutting_down',
  'bug',
] as const;
export type EdgeReason = (typeof edgeReasons)[number];

/** Every reason there is. */
export const reasons: readonly Reason[] = [...authnReasons, ...policyReasons, ...upstreamReasons, ...edgeReasons];

interface ServiceErrorDetail {
  /** Replaces the fixed sentence; only a validation message that the operator wrote in the policy. */
  readonly message?: string | undefined;
  /** Replaces the row's status where HTTP has a more exact one. */
  readonly status?: 505;
  /** Name of the claim that was missing or unusable; never its value. */
  readonly claim?: string | undefined;
  /** Position in the policy file, `file:line:column`. */
  readonly position?: string | undefined;
  /** The upstream's error code, already matched against the known list. */
  readonly upstreamCode?: string | undefined;
  /** The caller's network, shortened; for the audit line of an address limit. */
  readonly address?: string | undefined;
  /** Whole seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
  /** The verified caller, if there is one; for the audit line. */
  readonly iss?: string;
  readonly sub?: string | number;
}

/**
 * A refusal, thrown to the HTTP layer. Its `message` holds only code and reason, so logging it leaks nothing. Only an
 * INTERNAL_ERROR has a stack: collecting one costs more than most requests.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly reason: Reason;
  readonly detail: ServiceErrorDetail;

  constructor(code: ErrorCode, reason: Reason, detail: ServiceErrorDetail = {}) {
    const { stackTraceLimit } = Error;
    if (code !== 'INTERNAL_ERROR') Error.stackTraceLimit = 0;
    super(`${code} (${reason})`);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.reason = reason;
    this.detail = detail;
  }
}
