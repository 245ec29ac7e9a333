// The cryptographic check as authn/ asks for it. The check itself is @fastify/jwt's: http/jwt.ts implements this.
import type { AuthnReason } from '../errors.ts';
import type { IssuerConfig } from './issuer.ts';
import type { VerificationKey } from './keys/verification-key.ts';

/**
 * Verifies the signature with one key, then the registered claims of its issuer. Undefined: both are good; else why
 * not. `signature_invalid`: another key may fit. `token_expired` and `token_not_yet_valid` mean that the signature is
 * good. Throws only for a bug of ours.
 */
export type VerifyToken = (token: string) => AuthnReason | undefined;

/** Makes the verifiers of keys that an issuer has now, in the same order. */
export type PrepareVerifiers = (
  issuer: IssuerConfig,
  keys: readonly VerificationKey[],
) => Promise<readonly VerifyToken[]>;
