// The two clocks of the service. Tests pass their own object instead of patching globals.

/** Wall time for timestamps of others (`exp`, `Retry-After` dates), monotonic time for durations and deadlines. */
export interface Clock {
  /** Milliseconds since the epoch; may jump when the machine's clock is set. */
  readonly now: () => number;
  /** Milliseconds since an arbitrary start; never goes back. */
  readonly monotonic: () => number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
