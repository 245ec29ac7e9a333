// The RateLimit and RateLimit-Policy fields of draft-ietf-httpapi-ratelimit-headers-10: structured lists
// (RFC 9651 §3.1) with one item per limit that was counted for this request.

/** The same for every request. `name` of the policy: `address` or `user`. */
export interface LimitPolicy {
  readonly name: string;
  readonly max: number;
  readonly windowSeconds: number;
}

export interface LimitState {
  readonly name: string;
  readonly remaining: number;
  /** Whole seconds until the quota increases. */
  readonly resetSeconds: number;
}

/** `RateLimit-Policy`: `q` requests per `w` seconds. */
export const toPolicyItem = ({ name, max, windowSeconds }: LimitPolicy): string =>
  `"${name}";q=${max};w=${windowSeconds}`;

/** `RateLimit`: `r` remaining requests; more after `t` seconds. */
export const toLimitItem = ({ name, remaining, resetSeconds }: LimitState): string =>
  `"${name}";r=${remaining};t=${resetSeconds}`;
