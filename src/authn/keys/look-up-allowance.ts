// How often an issuer may be asked again because of a `kid` that nobody knows: a small burst, so that one stray token
// does not use up what the next rotation needs, then once per cooldown. Invented names cost the issuer no more.

export interface LookUpAllowance {
  /** Takes one, if there is one. */
  readonly take: () => boolean;
  /** Until there is one. */
  readonly waitMs: () => number;
}

const burst = 3;

/** A token bucket (RFC 2697 §3): full at first, one more per `cooldownMs`. `now` is monotonic, in milliseconds. */
export function createLookUpAllowance(cooldownMs: number, now: () => number): LookUpAllowance {
  /** In milliseconds of waiting; one look-up costs a cooldown. */
  let saved = burst * cooldownMs;
  let countedAt = now();

  const count = (): void => {
    const at = now();
    saved = Math.min(burst * cooldownMs, saved + at - countedAt);
    countedAt = at;
  };

  return {
    take: () => {
      count();
      if (saved < cooldownMs) return false;
      saved -= cooldownMs;
      return true;
    },
    waitMs: () => {
      count();
      return Math.max(0, cooldownMs - saved);
    },
  };
}
