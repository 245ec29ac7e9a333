// Why a request was refused, for the operator only: in the audit line and in metrics, never in a response. Each reason
// has the public codes that it is refused with, almost always one. The codes are in errors.ts; docs/errors/ explains
// every reason on the page of each of its codes.

/** Reasons of `authn/`: what was wrong with the credentials. */
export const authnReasons = {
  credentials_missing: ['AUTHENTICATION_REQUIRED'],
  /** RFC 6750 §3.1: another scheme than `Bearer` counts as no credentials, a malformed value as invalid ones. */
  credentials_malformed: ['AUTHENTICATION_REQUIRED', 'INVALID_TOKEN'],
  credentials_ambiguous: ['INVALID_REQUEST'],
  token_too_large: ['HEADERS_TOO_LARGE'],
  token_malformed: ['INVALID_TOKEN'],
  token_header_refused: ['INVALID_TOKEN'],
  token_type_refused: ['INVALID_TOKEN'],
  algorithm_refused: ['INVALID_TOKEN'],
  issuer_refused: ['INVALID_TOKEN'],
  audience_refused: ['INVALID_TOKEN'],
  key_unknown: ['INVALID_TOKEN'],
  signature_invalid: ['INVALID_TOKEN'],
  claim_missing: ['INVALID_TOKEN'],
  claim_invalid: ['INVALID_TOKEN'],
  token_expired: ['TOKEN_EXPIRED'],
  token_not_yet_valid: ['INVALID_TOKEN'],
  token_issued_in_future: ['INVALID_TOKEN'],
  token_lifetime_too_long: ['INVALID_TOKEN'],
  subject_refused: ['INVALID_TOKEN'],
  keys_unavailable: ['AUTHENTICATION_UNAVAILABLE'],
  key_not_looked_up: ['AUTHENTICATION_UNAVAILABLE'],
  origin_refused: ['ORIGIN_NOT_ALLOWED'],
} as const;
export type AuthnReason = keyof typeof authnReasons;

/** Reasons of `policy/`: why the policy denies. */
export const policyReasons = {
  data_app_unknown: ['DATA_APP_NOT_ALLOWED'],
  data_app_not_named: ['DATA_APP_NOT_ALLOWED'],
  data_app_not_for_user: ['DATA_APP_NOT_ALLOWED'],
  validation_refused: ['ACCESS_DENIED'],
  /** In the `when` of a data app: the caller gets the same response as for an unknown data app. */
  expression_failed: ['ACCESS_DENIED', 'DATA_APP_NOT_ALLOWED'],
  client_id_refused: ['ACCESS_DENIED'],
  filter_value_refused: ['ACCESS_DENIED'],
  value_refused: ['ACCESS_DENIED'],
  access_token_ends_too_soon: ['TOKEN_EXPIRED'],
} as const;
export type PolicyReason = keyof typeof policyReasons;

/** Reasons of `databrain/`: why no guest token was minted. */
export const upstreamReasons = {
  body_refused: ['INTERNAL_ERROR'],
  upstream_rejected: ['UPSTREAM_REJECTED'],
  upstream_key_refused: ['UPSTREAM_REJECTED'],
  upstream_invalid_response: ['UPSTREAM_INVALID_RESPONSE'],
  upstream_redirect: ['UPSTREAM_INVALID_RESPONSE'],
  upstream_too_large: ['UPSTREAM_INVALID_RESPONSE'],
  upstream_token_repeated: ['UPSTREAM_INVALID_RESPONSE'],
  upstream_rate_limited: ['UPSTREAM_UNAVAILABLE'],
  upstream_error: ['UPSTREAM_UNAVAILABLE'],
  upstream_unreachable: ['UPSTREAM_UNAVAILABLE'],
  upstream_timeout: ['UPSTREAM_TIMEOUT'],
  circuit_open: ['UPSTREAM_UNAVAILABLE'],
  queue_full: ['UPSTREAM_UNAVAILABLE'],
  api_key_missing: ['INTERNAL_ERROR'],
} as const;
export type UpstreamReason = keyof typeof upstreamReasons;

/** Reasons of `http/`: what was wrong with the request itself. */
export const edgeReasons = {
  body_malformed: ['INVALID_REQUEST'],
  body_too_large: ['BODY_TOO_LARGE'],
  media_type: ['UNSUPPORTED_MEDIA_TYPE'],
  not_found: ['NOT_FOUND'],
  method: ['METHOD_NOT_ALLOWED'],
  host_refused: ['INVALID_REQUEST'],
  path_malformed: ['INVALID_REQUEST'],
  version_refused: ['INVALID_REQUEST'],
  headers_too_large: ['HEADERS_TOO_LARGE'],
  caller_gone: ['INVALID_REQUEST'],
  address_limit: ['RATE_LIMITED'],
  user_limit: ['RATE_LIMITED'],
  audit_unavailable: ['AUDIT_UNAVAILABLE'],
  shutting_down: ['SHUTTING_DOWN'],
  bug: ['INTERNAL_ERROR'],
} as const;

/** Every reason with its codes. */
export const codesByReason = { ...authnReasons, ...policyReasons, ...upstreamReasons, ...edgeReasons };

/** Any of them. */
export type Reason = keyof typeof codesByReason;

/** The public codes of a reason. */
export type CodeOf<R extends Reason> = (typeof codesByReason)[R][number];

/** The reasons with this code. */
export type ReasonOf<Code extends CodeOf<Reason>> = {
  [R in Reason]: Code extends CodeOf<R> ? R : never;
}[Reason];

const isReason = (name: string): name is Reason => Object.hasOwn(codesByReason, name);

/** All reasons. */
export const reasons: readonly Reason[] = Object.keys(codesByReason).filter(isReason);
