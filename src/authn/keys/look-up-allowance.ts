// Limits how often unknown `kid`s cause a fetch of an issuer's keys: a small burst, so that one odd token does not
// delay the next key rotation, then once per cooldown.

export interface LookUpAllowance {
  /** Uses one look-up; false if none is left. */
  readonly take: () => boolean;
  /** Milliseconds until a look-up is available. */
  readonly waitMs: () => number;
}

const burst = 3;

/**
 * A token bucket (RFC 2697 §3): starts full and gains one look-up per `cooldownMs`. `now` is monotonic, in
 * milliseconds.
 */
export function createLookUpAllowance(cooldownMs: number, now: () => number): LookUpAllowance {
  /** In milliseconds; one look-up costs `cooldownMs`. */
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
