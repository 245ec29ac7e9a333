// The registered claims (RFC 7519 §4.1): their types, issuer, audience and user, which are checked once, and their
// times, which are checked on every use of a token.
import { own, type JsonObject } from '../strict-json.ts';
import { visibleText } from '../printable.ts';
import type { IssuerConfig } from './issuer.ts';
import type { UserIdentity } from './principal.ts';
import { refuseExpired, refuseToken, type TokenRefusal } from './token-refusal.ts';

export interface RegisteredClaims {
  /** The user: the claim that the issuer's configuration names, `sub` by default. */
  readonly sub: UserIdentity;
  /** All times are seconds since the epoch and may be fractional. */
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly iat: number | undefined;
}

/** The end of the year 9999. Later times are mistakes or attacks on date arithmetic. */
const maxNumericDate = 253_402_300_799;

const isDate = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= maxNumericDate;

function audienceRefusal(payload: JsonObject, issuer: IssuerConfig): TokenRefusal | undefined {
  const expected = issuer.audience;
  if (!Object.hasOwn(payload, 'aud')) {
    return issuer.allowMissingAudience ? undefined : refuseToken('claim_missing', { claim: 'aud', expected });
  }
  const aud = own(payload, 'aud');
  if (typeof aud === 'string' && expected.includes(aud)) return undefined;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every((entry) => typeof entry === 'string')) return refuseToken('claim_invalid', { claim: 'aud' });
  if (audiences.some((entry) => expected.includes(entry))) return undefined;
  return refuseToken('audience_refused', { claim: 'aud', received: aud, expected });
}

/** RFC 7519 §4.1.2 asks for a string. Whole numbers that no JSON parser rounds are accepted too. */
const isUserIdentity = (value: unknown): value is UserIdentity =>
  typeof value === 'string' ? visibleText.test(value) : Number.isSafeInteger(value);

/** The claims, or a refusal for a wrong type, issuer or audience. Does not check times. */
export function readRegisteredClaims(payload: JsonObject, issuer: IssuerConfig): RegisteredClaims | TokenRefusal {
  if (!Object.hasOwn(payload, 'iss')) {
    if (!issuer.allowMissingIssuer) return refuseToken('claim_missing', { claim: 'iss' });
  } else if (own(payload, 'iss') !== issuer.iss) {
    return refuseToken('issuer_refused', { claim: 'iss' });
  }
  const refusal = audienceRefusal(payload, issuer);
  if (refusal !== undefined) return refusal;

  const exp = own(payload, 'exp');
  const nbf = own(payload, 'nbf');
  const iat = own(payload, 'iat');
  if (!Object.hasOwn(payload, 'exp')) return refuseToken('claim_missing', { claim: 'exp' });
  if (!isDate(exp)) return refuseToken('claim_invalid', { claim: 'exp' });
  if (nbf !== undefined && !isDate(nbf)) return refuseToken('claim_invalid', { claim: 'nbf' });
  if (iat !== undefined && !isDate(iat)) return refuseToken('claim_invalid', { claim: 'iat' });
  if (issuer.maxLifetimeSeconds !== undefined) {
    if (iat === undefined) return refuseToken('claim_missing', { claim: 'iat' });
    if (exp - iat > issuer.maxLifetimeSeconds) return refuseToken('token_lifetime_too_long', { claim: 'exp' });
  }

  const claim = issuer.userClaim;
  const sub = own(payload, claim);
  if (isUserIdentity(sub)) return { sub, exp, nbf, iat };
  return refuseToken(sub === undefined ? 'claim_missing' : 'subject_refused', { claim });
}

/**
 * The refusal of a token outside its validity, or undefined. Checks `exp` last, so `TOKEN_EXPIRED` means that nothing
 * else is wrong. `nowMs` is wall time in milliseconds. Only for verified tokens: the refusal names the user. At `exp`
 * itself the token has expired (RFC 7519 §4.1.4).
 */
export function timeRefusal(
  { sub, exp, nbf, iat }: RegisteredClaims,
  issuer: IssuerConfig,
  nowMs: number,
): TokenRefusal | undefined {
  const now = nowMs / 1000;
  const latest = now + issuer.clockToleranceSeconds;
  const whom = { iss: issuer.iss, sub, isSigned: true };
  if (nbf !== undefined && nbf > latest) return refuseToken('token_not_yet_valid', { claim: 'nbf', ...whom });
  if (iat !== undefined && iat > latest) return refuseToken('token_issued_in_future', { claim: 'iat', ...whom });
  return now >= exp + issuer.clockToleranceSeconds ? refuseExpired(whom) : undefined;
}
