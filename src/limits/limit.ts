// The types of rate limiting: a limit, and the result of counting one request.

export interface Limit {
  /** Requests allowed in any interval of the window's length. */
  readonly max: number;
  readonly windowMs: number;
}

export interface Taken {
  readonly allowed: boolean;
  /** Requests counted in the window, this one included if it was allowed. */
  readonly used: number;
  /** Milliseconds until a counted request leaves the window and another is allowed; more than 0. */
  readonly freesInMs: number;
}

/** Counts requests per key. Refused requests are not counted, so after `freesInMs` a request is allowed. */
export interface LimitCounter {
  /** Counts one request of `key`, if the limit allows it. */
  readonly take: (key: string, limit: Limit) => Taken;
  /** The result of `take`, without counting. */
  readonly look: (key: string, limit: Limit) => Taken;
}

/** The resolution of a window: enough to be exact for bursts, few enough to be small. */
export const stepsPerWindow = 16;
