// A token that is refused, as a value: an exception costs more than most checks, and a flood of forged tokens would pay
// for each. It becomes a ServiceError once, at the edge.
import type { AuthnReason, ErrorCode } from '../errors.ts';

export interface TokenRefusal {
  readonly refused: true;
  readonly code: ErrorCode;
  readonly reason: AuthnReason;
  /** Name of the claim; never its value. */
  readonly claim?: string;
  /** Whom it concerns, once that is verified; for the audit line. */
  readonly iss?: string;
  readonly sub?: string | number;
  /** For a 503. */
  readonly retryAfterSeconds?: number;
  /**
   * The public value that was refused (`iss`, `aud`, `alg`, `typ`, `kid`) and what would be accepted, for
   * refusal-explanation.ts alone. Untrusted, and in no answer or audit line.
   */
  readonly received?: unknown;
  readonly expected?: readonly string[];
  /** Whether the signature is good; absent if it was not looked at. */
  readonly isSigned?: boolean;
}

type Detail = Omit<TokenRefusal, 'refused' | 'code' | 'reason'>;

/** 401: the token fails a check. */
export const refuseToken = (reason: AuthnReason, detail: Detail = {}): TokenRefusal => ({
  refused: true,
  code: 'INVALID_TOKEN',
  reason,
  ...detail,
});

/** 401 for a token that was good once: its user refreshes it. */
export const refuseExpired = (detail: Detail): TokenRefusal => ({
  refused: true,
  code: 'TOKEN_EXPIRED',
  reason: 'token_expired',
  claim: 'exp',
  ...detail,
});

/** 431: its user cannot get a shorter one by logging in again. */
export const refuseLongToken = (): TokenRefusal => ({
  refused: true,
  code: 'HEADERS_TOO_LARGE',
  reason: 'token_too_large',
});

/** 503: good and bad cannot be told apart now, for want of keys. Our trouble, so never a 401. */
export const refuseForNow = (
  reason: 'keys_unavailable' | 'key_not_looked_up',
  retryAfterSeconds: number,
  detail: Detail = {},
): TokenRefusal => ({ refused: true, code: 'AUTHENTICATION_UNAVAILABLE', reason, retryAfterSeconds, ...detail });

/** For results of our own making only: a parsed document may have a member of any name. */
export const isRefusal = (result: object): result is TokenRefusal => 'refused' in result && result.refused === true;
