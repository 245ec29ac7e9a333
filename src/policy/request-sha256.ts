// Identifies a request body without showing it: the SHA-256 of its canonical JSON (RFC 8785). The audit line of an
// issued token has it, so that an auditor can prove later which rights the token had.
import canonicalize from 'canonicalize';
import { hash } from 'node:crypto';
import type { UpstreamRequest } from './upstream-request.ts';

type Members = Readonly<Record<string, unknown>>;

/**
 * Whether the members of every object stand in canonical order. A policy builds its bodies so; only names that
 * JavaScript keeps in an order of its own ("10" after "9") are an exception.
 */
function isInOrder(value: Members): boolean {
  let last = '';
  // The fastest way through an object that inherits nothing enumerable.
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

/** Plain JSON says NaN and Infinity as `null`, and escapes lone surrogates; text that holds neither is canonical. */
const mayHideSomething = (text: string): boolean => text.includes('null') || text.includes('\\u');

/**
 * 64 hex digits over the body without `expiryTime`: equal bodies give equal hashes, whatever the order of their
 * members. Throws Error for what JSON cannot say: lone surrogates, NaN, Infinity.
 */
export function toRequestSha256(request: UpstreamRequest): string {
  const text = isInOrder(request as unknown as Members) ? JSON.stringify(request) : undefined;
  const canonical = text === undefined || mayHideSomething(text) ? (canonicalize(request) ?? '') : text;
  return hash('sha256', canonical, 'hex');
}
