// The name under which a token may be used again: a hash of everything that decides what the upstream would answer.
// Two requests share a token only if every field of every part is the same, text by text.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Grant } from '../policy/decision.ts';
import { isCutByAccessToken } from './reusable-token.ts';

declare const hashed: unique symbol;

/** SHA-256 of the canonical JSON, in base64url. */
export type ReuseKey = string & { readonly [hashed]: true };

/**
 * JSON (RFC 8785 in its order of members and escapes) of a value that came from JSON: equal values give equal text,
 * different values different text. Members that are undefined are left out, as JSON does.
 */
export function toCanonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(toCanonicalJson).join(',')}]`;
  const members = value as Readonly<Record<string, unknown>>;
  let text = '';
  // sort() without a comparator orders by UTF-16 code units, as the RFC wants, and is twice as fast.
  for (const name of Object.keys(members).sort()) {
    const member = members[name];
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${toCanonicalJson(member)}`;
  }
  return `{${text}}`;
}

/**
 * What the grant says about the token's life, in a form that stays the same from request to request: the policy's
 * duration, or, once the access token ends earlier, that end. Grants that differ in it never share a token.
 */
const lifetimeClass = (grant: Grant, clock: Clock): string =>
  isCutByAccessToken(grant, clock) ? `until ${grant.notAfterMs}` : `for ${grant.lifetimeMs}`;

/** Identity, upstream, kind of lifetime and the whole body but `expiryTime`. */
export function toReuseKey(parts: {
  readonly principal: Principal;
  readonly grant: Grant;
  /** Secret.identity() of the API key that mints. */
  readonly apiKeyIdentity: string;
  readonly baseUrl: string;
  readonly clock: Clock;
}): ReuseKey {
  const { iss, sub } = parts.principal;
  const others = [iss, sub, parts.apiKeyIdentity, parts.baseUrl, lifetimeClass(parts.grant, parts.clock)];
  return hash('sha256', JSON.stringify(others) + toCanonicalJson(parts.grant.request), 'base64url') as ReuseKey;
}
