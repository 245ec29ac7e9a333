// Tokens that are used again. Which requests share one: the reuse key, a hash of everything that decides the upstream's
// response. For how long: the required share of its lifetime, the lifetime that the grant permits now, the end of the
// access token, and the minimum while the upstream is down. Also the grant tag of the response.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Grant } from '../policy/decision.ts';
import type { Secret } from '../secrets/secret.ts';

/** A token that was issued before. Its times are of the monotonic clock of this process. */
export interface ReusableToken {
  readonly token: string;
  /** Its `toTokenSha256`, for the audit line of every reuse. */
  readonly tokenSha256: string;
  readonly sentAt: number;
  readonly lifetimeMs: number;
  /** The `notAfterMs` of its grant. */
  readonly notAfterMs?: number | undefined;
  /** Monotonic time from which the next request renews it in the background. */
  readonly renewAt: number;
}

/**
 * - `fresh`: has at least the configured share of its lifetime left;
 * - `spare`: has less, but enough while the upstream is down;
 * - `unusable`: has too little, or more than the grant permits now.
 */
export type Usability = 'fresh' | 'spare' | 'unusable';

/** The minimum lifetime of a token that is issued instead of an error. */
const spareMinimumMs = 60_000;

/** Tolerance when comparing the lifetime of a grant with the end of its access token. */
const sameBoundMs = 1_000;

export const remainingMs = ({ sentAt, lifetimeMs }: ReusableToken, clock: Clock): number =>
  sentAt + lifetimeMs - clock.monotonic();

/** Whether the access token's end, not the policy, limits the lifetime of the grant. */
const isCutByAccessToken = ({ notAfterMs, lifetimeMs }: Grant, clock: Clock): boolean =>
  notAfterMs !== undefined && notAfterMs - clock.now() <= lifetimeMs + sameBoundMs;

/** Whether a token with `left` milliseconds ends no later than a new one for this grant would. */
function endsWithinGrant(token: ReusableToken, left: number, grant: Grant, clock: Clock): boolean {
  const mintedWithinBound =
    grant.notAfterMs !== undefined && token.notAfterMs !== undefined && token.notAfterMs <= grant.notAfterMs;
  if (grant.notAfterMs !== undefined && !mintedWithinBound && left > grant.notAfterMs - clock.now()) return false;
  return (mintedWithinBound && isCutByAccessToken(grant, clock)) || left <= grant.lifetimeMs;
}

/**
 * Remaining lifetime in whole seconds for the caller, at least 1; not beyond the access token's end if that limits the
 * grant. Undefined: the token may not be issued for this grant. Checked for every token when it is issued, including
 * new ones and those of a shared flight.
 */
export function secondsToShow(token: ReusableToken, grant: Grant, clock: Clock): number | undefined {
  const left = remainingMs(token, clock);
  const shown = grant.notAfterMs === undefined ? left : Math.min(left, grant.notAfterMs - clock.now());
  return shown >= 1_000 && endsWithinGrant(token, left, grant, clock) ? Math.floor(shown / 1000) : undefined;
}

/** `minimumShare`: between 0 and 1, of the longer of its own lifetime and that of a new token. */
export function usabilityOf(token: ReusableToken, grant: Grant, minimumShare: number, clock: Clock): Usability {
  if (secondsToShow(token, grant, clock) === undefined) return 'unusable';
  const left = remainingMs(token, clock);
  if (left >= minimumShare * Math.max(token.lifetimeMs, grant.lifetimeMs)) return 'fresh';
  return left >= spareMinimumMs ? 'spare' : 'unusable';
}

/** First 16 hex digits of the SHA-256: enough to trace a leaked token to its audit line. */
export const toTokenSha256 = (token: string): string =>
  // Encode a part only: a slice of the whole string would keep that in memory.
  hash('sha256', token, 'buffer').toString('hex', 0, 8);

/**
 * The tag of a grant lets a browser detect that its next token has different rights, without showing them: the vendor's
 * component keeps what it has shown, so it must not get a token of another user or with other rights.
 *
 * 22 characters of base64url: equal for equal requests of the same user, whatever their lifetime, on every replica. It
 * is keyed with the API key, so that nobody can test guesses about hidden filters.
 *
 * The key has a fixed length and half of the hash is shown, so nobody can extend a tag either; an HMAC would take four
 * times as long for every new token.
 */
export function toGrantTag({ iss, sub }: Principal, { requestSha256 }: Grant, apiKey: Secret): string {
  const parts = JSON.stringify([iss, sub, requestSha256]);
  // Encode the first half only: a slice of the whole string would keep that in memory.
  return hash('sha256', apiKey.identity() + parts, 'buffer').toString('base64url', 0, 16);
}

declare const hashed: unique symbol;

/** SHA-256 in base64url. */
export type ReuseKey = string & { readonly [hashed]: true };

interface GrantNames {
  readonly key: ReuseKey;
  readonly grantTag: string;
}

interface GrantParts {
  readonly principal: Principal;
  readonly grant: Grant;
  /** The API key that mints. */
  readonly apiKey: Secret;
}

/** The inputs of the remembered names besides the grant's request. */
interface Remembered extends GrantNames {
  readonly principal: Principal;
  readonly apiKey: Secret;
  readonly lifetimeMs: number | undefined;
  readonly notAfterMs: number | undefined;
}

/**
 * Returns the reuse key of identity, upstream, API key, kind of lifetime and the body without `expiryTime`, and the
 * tag. Both are remembered by the grant's request, so that a remembered decision costs no hash. Every other input is
 * compared before a remembered key is used.
 *
 * The lifetime is included in a form that is stable between requests: the policy's duration or, if the access token
 * ends earlier, that end. Grants with different lifetimes never share a token.
 */
export function createGrantNames(baseUrl: string, clock: Clock): (parts: GrantParts) => GrantNames {
  const remembered = new WeakMap<Grant['request'], Remembered>();

  return ({ principal, grant, apiKey }) => {
    const isCut = isCutByAccessToken(grant, clock);
    const lifetimeMs = isCut ? undefined : grant.lifetimeMs;
    const notAfterMs = isCut ? grant.notAfterMs : undefined;
    const known = remembered.get(grant.request);
    const isSame =
      known?.principal === principal &&
      known.apiKey === apiKey &&
      known.lifetimeMs === lifetimeMs &&
      known.notAfterMs === notAfterMs;
    if (isSame) return known;

    const lifetime = isCut ? `until ${notAfterMs}` : `for ${lifetimeMs}`;
    const parts = [principal.iss, principal.sub, apiKey.identity(), baseUrl, lifetime, grant.requestSha256];
    const key = hash('sha256', JSON.stringify(parts), 'base64url') as ReuseKey;
    const names = { principal, apiKey, lifetimeMs, notAfterMs, key, grantTag: toGrantTag(principal, grant, apiKey) };
    remembered.set(grant.request, names);
    return names;
  };
}
