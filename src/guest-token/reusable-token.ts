// The rules for reusing a token: the required share of its lifetime, the lifetime that the grant permits now, the end
// of the access token, and the minimum while the upstream is down.
import type { Clock } from '../clock.ts';
import type { Grant } from '../policy/decision.ts';

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
export const isCutByAccessToken = ({ notAfterMs, lifetimeMs }: Grant, clock: Clock): boolean =>
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
