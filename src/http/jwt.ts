// @fastify/jwt, one registration per key: the key's algorithms and its issuer's iss, aud and tolerance are bound to it,
// so that nothing of one issuer counts for another. Which key, and all strictness of form, is authn/'s work.
import fastifyJwt from '@fastify/jwt';
import type { Algorithm as LibraryAlgorithm } from 'fast-jwt';
import Fastify from 'fastify';
import type { IssuerConfig } from '../authn/issuer.ts';
import type { Algorithm } from '../authn/keys/algorithms.ts';
import type { VerificationKey } from '../authn/keys/verification-key.ts';
import type { PrepareVerifiers, VerifyToken } from '../authn/verify-token.ts';
import { ServiceError, type AuthnReason } from '../errors.ts';

/** What a refusal by the library means. Its messages hold claims and are never passed on. */
const reasons: ReadonlyMap<unknown, AuthnReason> = new Map([
  ['FAST_JWT_INVALID_TYPE', 'token_type_refused'],
  ['FAST_JWT_INVALID_ALGORITHM', 'algorithm_refused'],
  ['FAST_JWT_INVALID_CLAIM_TYPE', 'claim_invalid'],
  ['FAST_JWT_INVALID_CLAIM_VALUE', 'claim_invalid'],
  ['FAST_JWT_INVALID_KEY', 'signature_invalid'],
  ['FAST_JWT_INVALID_SIGNATURE', 'signature_invalid'],
  ['FAST_JWT_INVALID_PAYLOAD', 'token_malformed'],
  ['FAST_JWT_MALFORMED', 'token_malformed'],
  ['FAST_JWT_INACTIVE', 'token_not_yet_valid'],
  ['FAST_JWT_EXPIRED', 'token_expired'],
  ['FAST_JWT_MISSING_REQUIRED_CLAIM', 'claim_missing'],
  ['FAST_JWT_MISSING_SIGNATURE', 'token_malformed'],
  ['FAST_JWT_INVALID_CRIT_HEADER', 'token_header_refused'],
  ['FAST_JWT_VERIFY_ERROR', 'signature_invalid'],
]);

/** Throws ServiceError for what is not in the table: that is a bug, not the caller's fault. */
export function reasonOfLibraryError(error: unknown): AuthnReason {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  const reason = reasons.get(code);
  if (reason === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
  return reason;
}

/** Both names of EdDSA over Ed25519 (RFC 9864 §2.2). The library verifies the second one but its types do not name it. */
const libraryNames = (algorithms: readonly Algorithm[]): LibraryAlgorithm[] =>
  algorithms.flatMap((name) => (name === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [name])) as LibraryAlgorithm[];

/** A verifier's options. An option that is undefined or empty would mean "do not check". */
export const verifierOptions = (issuer: IssuerConfig, key: VerificationKey) => ({
  algorithms: libraryNames(key.algorithms),
  allowedIss: issuer.iss,
  allowedAud: [...issuer.audience],
  requiredClaims: [
    'exp',
    issuer.userClaim,
    ...(issuer.allowMissingIssuer ? [] : ['iss']),
    ...(issuer.allowMissingAudience ? [] : ['aud']),
  ],
  clockTolerance: issuer.clockToleranceSeconds * 1000,
  // Good tokens are remembered by authn/, where times, issuer and key are checked again.
  cache: false,
  errorCacheTTL: -1,
});

/** What the plugin prepares once. In this form it can only verify. */
const verificationSecret = ({ material }: VerificationKey): { public: string | Buffer } => ({
  public: material.type === 'secret' ? material.export() : material.export({ type: 'spki', format: 'pem' }),
});

/** The library throws for every refusal, and a stack that nobody reads costs more than an HMAC. */
function verifyWithoutStack(verify: (token: string) => unknown, token: string): AuthnReason | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    verify(token);
    return undefined;
  } catch (error) {
    return reasonOfLibraryError(error);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * One verifier per key, each a registration of the plugin with that key alone: its one path without a key look-up,
 * options and promises per request. The instance that they are registered with never listens; it goes with its keys.
 */
export const prepareVerifiers: PrepareVerifiers = async (issuer, keys) => {
  const host = Fastify();
  for (const [index, key] of keys.entries()) {
    await host.register(fastifyJwt, {
      namespace: `key${index}`,
      secret: verificationSecret(key),
      verify: verifierOptions(issuer, key),
    });
  }
  await host.ready();
  const registered = new Map<string, { verify: (token: string) => unknown }>(Object.entries(host.jwt));
  return keys.map((_key, index): VerifyToken => {
    const plugin = registered.get(`key${index}`);
    if (plugin === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
    return (token) => verifyWithoutStack((text) => plugin.verify(text), token);
  });
};
