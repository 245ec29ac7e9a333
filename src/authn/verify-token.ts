// The interface of the signature check. http/jwt.ts implements it with @fastify/jwt.
import type { AuthnReason } from '../refusal-reasons.ts';
import type { IssuerConfig } from './issuer.ts';
import type { VerificationKey } from './keys/verification-key.ts';

/**
 * Verifies the signature with one key, then the registered claims. Returns undefined if both are valid, otherwise the
 * reason. After `signature_invalid` another key may fit; `token_expired` and `token_not_yet_valid` mean that the
 * signature is valid. Throws only for bugs.
 */
export type VerifyToken = (token: string) => AuthnReason | undefined;

/** Creates one verifier per key, in the same order. */
export type PrepareVerifiers = (
  issuer: IssuerConfig,
  keys: readonly VerificationKey[],
) => Promise<readonly VerifyToken[]>;
