// Why an issuer's keys could not be fetched: a closed list, used as a metric label, and details for the log with the
// fix. Text from the issuer is shortened and made printable here.
import { printable } from '../../printable.ts';
import type { LeftOutKey } from './jwk-set.ts';

export type KeySetFailure =
  | 'timeout'
  | 'unreachable'
  | 'redirect'
  | 'status'
  | 'encoded'
  | 'too_large'
  | 'not_json'
  | 'issuer_mismatch'
  | 'address_refused'
  | 'set_refused'
  | 'no_usable_key'
  /** A bug of this service. */
  | 'bug';

/** Details of a failure. */
export interface KeySetFailureFacts {
  /** The requested address, without its query. */
  readonly url?: string;
  readonly httpStatus?: number;
  /** The target of a redirect. */
  readonly location?: string | undefined;
  /** A code of the network or of TLS, such as ENOTFOUND or DEPTH_ZERO_SELF_SIGNED_CERT. */
  readonly errorCode?: string | undefined;
  /** The value in the metadata or the set, and the expected one. */
  readonly received?: string;
  readonly expected?: string;
  readonly problem?: string | undefined;
  readonly leftOut?: readonly LeftOutKey[];
  /** Only if there is a better fix than the one for this kind of failure. */
  readonly fix?: string | undefined;
}

export interface KeySetFailureDetail extends KeySetFailureFacts {
  readonly fix: string;
}

/** Returned by a fetch that failed. An exception is a bug. */
export interface FailedFetch {
  readonly failure: KeySetFailure;
  readonly detail: KeySetFailureDetail;
}

export const failedFetch = (failure: KeySetFailure, facts: KeySetFailureFacts = {}): FailedFetch => ({
  failure,
  detail: { ...facts, fix: facts.fix ?? fixByFailure[failure] },
});

/** Only for results of this folder's functions: a fetched document may have a member of any name. */
export const isFailedFetch = (result: object): result is FailedFetch => 'failure' in result;

/** An address for the log, without the query, which may hold a secret. */
export const addressOf = (url: string): string => printable(url.replace(/[?#].*$/s, ''));

/** Codes for a certificate of an unknown authority. */
const unknownAuthority: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);

const fixes: ReadonlyMap<string, string> = new Map([
  ['EGRESS_PROXY_407', 'Correct the user name and password in HTTPS_PROXY or HTTP_PROXY'],
  ['EGRESS_PROXY_403', 'Allow this address in the egress proxy, or add it to NO_PROXY'],
  ['ENOTFOUND', 'Check the spelling of the host name, and that the DNS of the cluster resolves it'],
  ['EAI_AGAIN', 'Check that DNS works where the service runs'],
  ['ECONNREFUSED', 'Check the port, and that the issuer is running'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'Use a host name of the certificate'],
  ['CERT_HAS_EXPIRED', "Renew the issuer's certificate"],
  ['EPROTO', 'Check that the port speaks TLS; for http inside a cluster set INSECURE_JWT_HTTP'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'Check that the port speaks TLS; for http inside a cluster set INSECURE_JWT_HTTP'],
]);

/** The fix for each kind of failure, without further details. */
export const fixByFailure = {
  timeout: 'Check the network, and that the issuer is not overloaded',
  unreachable: 'Check the address, the network and its firewalls',
  redirect: 'Redirects are not followed: set the target address if it belongs to the issuer',
  status: 'Check realm, tenant and path of the address; opened in a browser it must show JSON',
  encoded: 'Configure the issuer, or the proxy in front of it, to send the document uncompressed',
  too_large: 'Check that the address is that of a JWK set',
  not_json: 'Check that the address is that of a JWK set and not of a login page',
  issuer_mismatch: 'Set the issuer to exactly the value in its metadata and tokens, including a trailing slash',
  address_refused:
    'Set the address of the keys in JWT_JWKS_URL or jwksUrl; for http inside a cluster set INSECURE_JWT_HTTP',
  set_refused: 'Set the address of a JWK set: an object with a list "keys" of public keys',
  no_usable_key: 'Set the algorithms that the issuer signs with (JWT_ALGORITHMS), or correct its keys',
  bug: 'Report this log line as a bug',
} as const satisfies Readonly<Record<KeySetFailure, string>>;

/** The `code` of a failed request's error, and its fix if known. */
export function explainNetworkError(error: unknown): { errorCode?: string | undefined; fix?: string | undefined } {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || !/^[A-Z0-9_]{1,64}$/.test(code)) return {};
  const fix = unknownAuthority.has(code)
    ? 'Set NODE_EXTRA_CA_CERTS to the file with the certificate of your CA'
    : fixes.get(code);
  return { errorCode: code, fix };
}
