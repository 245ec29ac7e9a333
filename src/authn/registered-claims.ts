// The registered claims (RFC 7519 §4.1): their types and whom they concern, which no clock changes, and the times,
// which are checked on every use of a token, remembered or not.
import { ServiceError } from '../errors.ts';
import type { IssuerConfig } from './issuer.ts';
import { refusal } from './refusal.ts';
import { own, type JsonObject } from '../strict-json.ts';
import { visibleText } from '../visible-text.ts';

export interface RegisteredClaims {
  readonly sub: string;
  /** Seconds since the epoch, may be fractional, as all three. */
  readonly exp: number;
  readonly nbf?: number;
  readonly iat?: number;
}

/** The end of the year 9999. Later times are mistakes or attacks on date arithmetic, and no Date can hold the largest. */
const maxNumericDate = 253_402_300_799;

function numericDate(payload: JsonObject, claim: 'exp' | 'nbf' | 'iat'): number | undefined {
  if (!Object.hasOwn(payload, claim)) return undefined;
  const value = own(payload, claim);
  if (typeof value !== 'number' || !(value >= 0 && value <= maxNumericDate)) throw refusal('claim_invalid', claim);
  return value;
}

function checkIssuer(payload: JsonObject, issuer: IssuerConfig): void {
  if (!Object.hasOwn(payload, 'iss')) {
    if (issuer.allowMissingIssuer) return;
    throw refusal('claim_missing', 'iss');
  }
  if (own(payload, 'iss') !== issuer.iss) throw refusal('issuer_refused', 'iss');
}

function checkAudience(payload: JsonObject, issuer: IssuerConfig): void {
  if (!Object.hasOwn(payload, 'aud')) {
    if (issuer.allowMissingAudience) return;
    throw refusal('claim_missing', 'aud');
  }
  const aud = own(payload, 'aud');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every((entry) => typeof entry === 'string')) throw refusal('claim_invalid', 'aud');
  if (!audiences.some((entry) => issuer.audience.includes(entry))) throw refusal('audience_refused', 'aud');
}

/** Throws INVALID_TOKEN unless the claims are of the right types and meant for us. Looks at no clock. */
export function readRegisteredClaims(payload: JsonObject, issuer: IssuerConfig): RegisteredClaims {
  checkIssuer(payload, issuer);
  checkAudience(payload, issuer);

  const exp = numericDate(payload, 'exp');
  if (exp === undefined) throw refusal('claim_missing', 'exp');
  const nbf = numericDate(payload, 'nbf');
  const iat = numericDate(payload, 'iat');
  if (issuer.maxLifetimeSeconds !== undefined) {
    if (iat === undefined) throw refusal('claim_missing', 'iat');
    if (exp - iat > issuer.maxLifetimeSeconds) throw refusal('token_lifetime_too_long', 'exp');
  }

  const sub = own(payload, 'sub');
  if (sub === undefined) throw refusal('claim_missing', 'sub');
  if (typeof sub !== 'string' || !visibleText.test(sub)) throw refusal('subject_refused', 'sub');
  return { sub, exp, ...(nbf === undefined ? {} : { nbf }), ...(iat === undefined ? {} : { iat }) };
}

/**
 * Throws INVALID_TOKEN, or TOKEN_EXPIRED when that is all that is wrong. `nowMs` is wall time in milliseconds.
 * Only for claims whose signature is good: the refusal says whom it concerns.
 * RFC 7519 §4.1.4: at `exp` itself the token has expired.
 */
export function checkTimes({ sub, exp, nbf, iat }: RegisteredClaims, issuer: IssuerConfig, nowMs: number): void {
  const now = nowMs / 1000;
  const latest = now + issuer.clockToleranceSeconds;
  const whom = { iss: issuer.iss, sub };
  if (nbf !== undefined && nbf > latest) {
    throw new ServiceError('INVALID_TOKEN', 'token_not_yet_valid', { claim: 'nbf', ...whom });
  }
  if (iat !== undefined && iat > latest) {
    throw new ServiceError('INVALID_TOKEN', 'token_issued_in_future', { claim: 'iat', ...whom });
  }
  if (now >= exp + issuer.clockToleranceSeconds) {
    throw new ServiceError('TOKEN_EXPIRED', 'token_expired', { claim: 'exp', ...whom });
  }
}
