// The verified caller. Only authn/authenticator.ts creates one, after it checked signature and claims.

declare const verified: unique symbol;

/** The JWT's claims set (RFC 7519 §4) as parsed, deeply frozen. Values are untrusted data from a trusted issuer. */
export type Claims = Readonly<Record<string, unknown>>;

/** The string "17" and the number 17 are two different users. */
export type UserIdentity = string | number;

export interface Principal {
  readonly [verified]: true;
  /** RFC 7519 §4.1.1, equal to a configured issuer. */
  readonly iss: string;
  /**
   * The user's id, unchanged: `sub` (RFC 7519 §4.1.2) or the claim configured for the issuer. A string with a visible
   * character, or a whole number within 2^53.
   */
  readonly sub: UserIdentity;
  /** RFC 7519 §4.1.4, seconds since the epoch, may be fractional. */
  readonly exp: number;
  readonly claims: Claims;
}
