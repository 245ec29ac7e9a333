// When a token that was minted earlier may be handed out again. All rules are here: the share of life that must be
// left, the lifetime that the grant allows now, the end of the access token, and what will do while the upstream is down.
import type { Clock } from '../clock.ts';
import type { Grant } from '../policy/decision.ts';

/** A token that somebody holds already. Its life counts on the monotonic clock of this process. */
export interface ReusableToken {
  readonly token: string;
  /** `toTokenSha256` of it: every request that reuses the token is audited with it. */
  readonly tokenSha256: string;
  readonly sentAt: number;
  readonly lifetimeMs: number;
  /** The `notAfterMs` of the grant it was minted for. */
  readonly notAfterMs?: number | undefined;
  /** Monotonic time from which it is renewed in the background when somebody asks for it. */
  readonly renewAt: number;
}

/**
 * - `fresh`: has at least the configured share of its life left;
 * - `spare`: has less, but enough for an upstream that is down;
 * - `unusable`: too little, or more than the grant allows now.
 */
export type Usability = 'fresh' | 'spare' | 'unusable';

/** The least life for which a token is handed out instead of an error. */
export const spareMinimumMs = 60_000;

/** How far an access token's end and the life granted for it may differ and still be seen as one bound. */
const sameBoundMs = 1_000;

export const remainingMs = ({ sentAt, lifetimeMs }: ReusableToken, clock: Clock): number =>
  sentAt + lifetimeMs - clock.monotonic();

/** Whether the grant's life is cut by the access token's end rather than by the policy. */
export const isCutByAccessToken = ({ notAfterMs, lifetimeMs }: Grant, clock: Clock): boolean =>
  notAfterMs !== undefined && notAfterMs - clock.now() <= lifetimeMs + sameBoundMs;

/** Whether minting one for this grant now would not, by rule, give one that ends earlier. */
function endsWithinGrant(token: ReusableToken, grant: Grant, clock: Clock): boolean {
  const left = remainingMs(token, clock);
  const mintedWithinBound =
    grant.notAfterMs !== undefined && token.notAfterMs !== undefined && token.notAfterMs <= grant.notAfterMs;
  if (grant.notAfterMs !== undefined && !mintedWithinBound && left > grant.notAfterMs - clock.now()) return false;
  return (mintedWithinBound && isCutByAccessToken(grant, clock)) || left <= grant.lifetimeMs;
}

/**
 * Whether whoever has this grant may be given this token at all. Asked for every token at the moment it is handed out,
 * a new one and one that others asked for included.
 */
export const isWithinGrant = (token: ReusableToken, grant: Grant, clock: Clock): boolean =>
  secondsToShow(token, grant, clock) >= 1 && endsWithinGrant(token, grant, clock);

/** `minimumShare` of the longer of its own life and the life that a new one would have, between 0 and 1. */
export function usabilityOf(token: ReusableToken, grant: Grant, minimumShare: number, clock: Clock): Usability {
  if (!isWithinGrant(token, grant, clock)) return 'unusable';
  const left = remainingMs(token, clock);
  if (left >= minimumShare * Math.max(token.lifetimeMs, grant.lifetimeMs)) return 'fresh';
  return left >= spareMinimumMs ? 'spare' : 'unusable';
}

/** Whole seconds of life, as the caller is shown; never beyond the access token's end if that bounds the grant. */
export function secondsToShow(token: ReusableToken, { notAfterMs = Infinity }: Grant, clock: Clock): number {
  return Math.floor(Math.min(remainingMs(token, clock), notAfterMs - clock.now()) / 1000);
}
