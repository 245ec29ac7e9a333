// The verified caller. Only authn/authenticate.ts makes one: holding it proves that signature and claims were checked.

declare const verified: unique symbol;

/** The JWT's claims set (RFC 7519 §4) as JSON gave it, deeply frozen. Values are untrusted data of a trusted issuer. */
export type Claims = Readonly<Record<string, unknown>>;

/** Typed: the string "17" and the number 17 are two users. */
export type UserIdentity = string | number;

export interface Principal {
  readonly [verified]: true;
  /** RFC 7519 §4.1.1, equal to a configured issuer. */
  readonly iss: string;
  /**
   * The user, unchanged: RFC 7519 §4.1.2 or the claim that is configured for the issuer. A string with something to
   * see in it, or a whole number within 2^53.
   */
  readonly sub: UserIdentity;
  /** RFC 7519 §4.1.4, seconds since the epoch, may be fractional. */
  readonly exp: number;
  readonly claims: Claims;
}
