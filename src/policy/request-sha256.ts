// Names a request body without showing it: the SHA-256 of its canonical JSON (RFC 8785). The audit line of an issued
// token carries it, so that an auditor can prove later which rights these claims gave under this policy.
import canonicalize from 'canonicalize';
import { hash } from 'node:crypto';
import type { UpstreamRequest } from './upstream-request.ts';

/**
 * 64 hex digits over the body without `expiryTime`: equal bodies give equal hashes, whatever the order of their members.
 * Throws Error for what JSON cannot say: lone surrogates, NaN, Infinity.
 */
export function toRequestSha256(request: UpstreamRequest): string {
  return hash('sha256', canonicalize(request) ?? '', 'hex');
}
