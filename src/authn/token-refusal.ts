// The refusal of a token, as a value: an exception costs more than most checks, which matters in a flood of forged
// tokens. http/authentication-step.ts turns it into a ServiceError.
import type { AuthnReason, CodeOf, ReasonOf } from '../refusal-reasons.ts';

export interface TokenRefusal {
  readonly refused: true;
  readonly code: CodeOf<AuthnReason>;
  readonly reason: AuthnReason;
  /** Name of the claim; never its value. */
  readonly claim?: string;
  /** Whom it concerns, once that is verified; for the audit line. */
  readonly iss?: string;
  readonly sub?: string | number;
  /** For a 503. */
  readonly retryAfterSeconds?: number;
  /**
   * The public value that was refused (`iss`, `aud`, `alg`, `typ`, `kid`) and the accepted values, for explanations and
   * debug logs only. Untrusted; in no response or audit line.
   */
  readonly received?: unknown;
  readonly expected?: readonly string[];
  /** Whether the signature is valid; absent if it was not checked. */
  readonly isSigned?: boolean;
}

type Detail = Omit<TokenRefusal, 'refused' | 'code' | 'reason'>;

/** 401: the token fails a check. */
export const refuseToken = (reason: ReasonOf<'INVALID_TOKEN'>, detail: Detail = {}): TokenRefusal => ({
  refused: true,
  code: 'INVALID_TOKEN',
  reason,
  ...detail,
});

/** 401 for an expired token: the client refreshes it. */
export const refuseExpired = (detail: Detail): TokenRefusal => ({
  refused: true,
  code: 'TOKEN_EXPIRED',
  reason: 'token_expired',
  claim: 'exp',
  ...detail,
});

/** 431, not 401: logging in again would not give a shorter token. */
export const refuseLongToken = (): TokenRefusal => ({
  refused: true,
  code: 'HEADERS_TOO_LARGE',
  reason: 'token_too_large',
});

/** 503: the token cannot be verified without the keys. That is not the client's fault, so never a 401. */
export const refuseForNow = (
  reason: 'keys_unavailable' | 'key_not_looked_up',
  retryAfterSeconds: number,
  detail: Detail = {},
): TokenRefusal => ({ refused: true, code: 'AUTHENTICATION_UNAVAILABLE', reason, retryAfterSeconds, ...detail });

/** Only for results of this folder's functions: a parsed document may have a member of any name. */
export const isRefusal = (result: object): result is TokenRefusal => 'refused' in result && result.refused === true;
