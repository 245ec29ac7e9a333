// The SHA-256 of a request body's canonical JSON (RFC 8785). It is in the audit line of an issued token, so that an
// auditor can prove later which rights the token had; the body itself is not.
import canonicalize from 'canonicalize';
import { hash } from 'node:crypto';
import type { UpstreamRequest } from './upstream-request.ts';

type Members = Readonly<Record<string, unknown>>;

/**
 * Whether the members of every object are in canonical order. A policy builds its bodies in that order, except for
 * names that JavaScript orders itself ("10" after "9").
 */
function isInOrder(value: Members): boolean {
  let last = '';
  // The fastest loop over an object that inherits nothing enumerable.
  for (const name in value) {
    if (name < last) return false;
    last = name;
    const member = value[name];
    if (typeof member !== 'object' || member === null) continue;
    if (Array.isArray(member) ? !areInOrder(member) : !isInOrder(member as Members)) return false;
  }
  return true;
}

const areInOrder = (list: readonly unknown[]): boolean =>
  list.every((item) => typeof item !== 'object' || item === null || isInOrder(item as Members));

/** JSON.stringify writes NaN and Infinity as `null` and escapes lone surrogates. Text with neither is canonical. */
const mayBeLossy = (text: string): boolean => text.includes('null') || text.includes('\\u');

/**
 * 64 hex digits over the body without `expiryTime`: equal bodies give equal hashes, whatever the order of their
 * members. Throws Error for what JSON cannot represent: lone surrogates, NaN, Infinity.
 */
export function toRequestSha256(request: UpstreamRequest): string {
  const text = isInOrder(request as unknown as Members) ? JSON.stringify(request) : undefined;
  const canonical = text === undefined || mayBeLossy(text) ? (canonicalize(request) ?? '') : text;
  return hash('sha256', canonical, 'hex');
}
