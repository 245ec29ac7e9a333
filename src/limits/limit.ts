// The words of rate limiting: what a limit is and what taking one unit of it gives.

export interface Limit {
  /** Requests that are allowed in any stretch of time as long as the window. */
  readonly max: number;
  readonly windowMs: number;
}

export interface Taken {
  readonly allowed: boolean;
  /** Requests counted in the window, this one included if it was allowed. */
  readonly used: number;
  /** Milliseconds until the oldest counted request leaves the window and gives room for another; more than 0. */
  readonly freesInMs: number;
}

/** Counts per key. A refused request is not counted: who waits for `freesInMs` is let in, however long they hammered. */
export interface LimitCounter {
  /** Counts one request of `key`, if the limit allows it. */
  readonly take: (key: string, limit: Limit) => Taken;
  /** What `take` would see now, without counting. */
  readonly look: (key: string, limit: Limit) => Taken;
}

/** A window is recorded in this many steps: enough to be exact for bursts, few enough to stay small. */
export const stepsPerWindow = 16;
