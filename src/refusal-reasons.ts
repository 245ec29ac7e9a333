// Why a request was refused, for the operator only: in the audit line and in metrics, never in a response. The public
// codes are in errors.ts; docs/errors/ explains every reason under its code.

/** Any of them. */
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
