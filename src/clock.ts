// The two clocks of the service, and the form of a duration in the log. Tests pass their own object instead of patching
// globals.

/** Wall time for timestamps of others (`exp`, `Retry-After` dates), monotonic time for durations and deadlines. */
export interface Clock {
  /** Milliseconds since the epoch; may jump when the machine's clock is set. */
  readonly now: () => number;
  /** Milliseconds since an arbitrary start; never goes back. */
  readonly monotonic: () => number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** A duration for log lines, in milliseconds with at most three decimals. */
export const roundMs = (value: number): number => Math.round(value * 1000) / 1000;
