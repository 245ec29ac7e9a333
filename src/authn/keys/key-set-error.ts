// Why an issuer's keys could not be fetched: a closed list, fit for a metric's label, and what an operator needs to
// know to mend it, for the log. What comes from the issuer is cut and made printable here.
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
  /** Ours, not the issuer's. */
  | 'bug';

/** What is known of a failure. */
export interface KeySetFailureFacts {
  /** The address that was asked, without its query. */
  readonly url?: string;
  readonly httpStatus?: number;
  /** Where a redirect leads. */
  readonly location?: string;
  /** Of the network or TLS, such as ENOTFOUND or DEPTH_ZERO_SELF_SIGNED_CERT. */
  readonly errorCode?: string;
  /** What the metadata or the set says, and what was expected instead. */
  readonly received?: string;
  readonly expected?: string;
  readonly problem?: string;
  readonly leftOut?: readonly LeftOutKey[];
  /** Only where something better is known than what the kind of failure says. */
  readonly fix?: string;
}

export interface KeySetFailureDetail extends KeySetFailureFacts {
  readonly fix: string;
}

export class KeySetError extends Error {
  override readonly name = 'KeySetError';
  readonly failure: KeySetFailure;
  readonly detail: KeySetFailureDetail;

  constructor(failure: KeySetFailure, facts: KeySetFailureFacts = {}) {
    super(`the key set could not be fetched (${failure})`);
    this.failure = failure;
    this.detail = { ...facts, fix: facts.fix ?? fixByFailure[failure] };
  }
}

/** An address as it may be logged: a query may hold a key of somebody else's. */
export const addressOf = (url: string): string => printable(url.replace(/[?#].*$/s, ''));

/** Codes that mean: the certificate's issuer is not known here. */
const unknownAuthority: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);

const fixes: ReadonlyMap<string, string> = new Map([
  ['EGRESS_PROXY_407', 'Correct the user and password in HTTPS_PROXY or HTTP_PROXY'],
  ['EGRESS_PROXY_403', 'Have the egress proxy allow this address, or name it in NO_PROXY'],
  ['ENOTFOUND', 'Check the spelling of the host; inside a cluster, whether its DNS knows it'],
  ['EAI_AGAIN', 'Check that name look-ups work where the service runs'],
  ['ECONNREFUSED', 'Check the port, and whether the issuer runs'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'Use the host name that is in the certificate'],
  ['CERT_HAS_EXPIRED', "Renew the issuer's certificate"],
  ['EPROTO', 'Check that the port speaks TLS; for http inside a cluster there is INSECURE_JWT_HTTP'],
  [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'Check that the port speaks TLS; for http inside a cluster there is INSECURE_JWT_HTTP',
  ],
]);

/** What to do about a failure of which nothing more is known. */
export const fixByFailure = {
  timeout: 'Check the network, and whether the issuer is overloaded',
  unreachable: 'Check the address, the network and its firewalls',
  redirect: 'Redirects are not followed: set the address that it leads to, if that is the issuer’s own',
  status: 'Check realm, tenant and path of the address; with a browser it must show JSON',
  encoded: 'Have the issuer, or what stands before it, send the document uncompressed',
  too_large: 'Check that the address is that of a JWK set',
  not_json: 'Check that the address is that of a JWK set, and no login page stands before it',
  issuer_mismatch: 'Set the issuer to exactly what its metadata and its tokens say, the slash at the end included',
  address_refused:
    'Set the address of the keys yourself, in JWT_JWKS_URL or jwksUrl; for http inside a cluster there is INSECURE_JWT_HTTP',
  set_refused: 'Set the address of a JWK set: an object with a list "keys" of public keys',
  no_usable_key: 'Set the algorithms that the issuer signs with (JWT_ALGORITHMS), or correct its keys',
  bug: 'Report it, with this line',
} as const satisfies Readonly<Record<KeySetFailure, string>>;

/** The `code` of whatever a request failed with, and what to do about it, where that is known. */
export function explainNetworkError(error: unknown): { errorCode?: string; fix?: string } {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || !/^[A-Z0-9_]{1,64}$/.test(code)) return {};
  const fix = unknownAuthority.has(code)
    ? 'Name the file with the certificate of your CA in NODE_EXTRA_CA_CERTS'
    : fixes.get(code);
  return { errorCode: code, ...(fix === undefined ? {} : { fix }) };
}
