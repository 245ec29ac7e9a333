// Verifies signatures with @fastify/jwt, one registration per key with the algorithms of the key and the iss, aud and
// tolerance of its issuer, so that a key never verifies another issuer's token. authn/ selects the key and checks the
// form of the token.
import fastifyJwt from '@fastify/jwt';
import type { Algorithm as LibraryAlgorithm } from 'fast-jwt';
import Fastify from 'fastify';
import type { IssuerConfig } from '../authn/issuer.ts';
import type { Algorithm } from '../authn/keys/algorithms.ts';
import type { VerificationKey, SignedTokenReason, VerifyToken } from '../authn/keys/verification-keys.ts';
import type { PrepareVerifiers } from '../authn/keys/issuer-keys.ts';
import { ServiceError } from '../errors.ts';
import { schemaCompilers } from './json-body.ts';

/** The reason for each error code of the library. Its messages hold claims and are never used. */
const reasons: ReadonlyMap<unknown, SignedTokenReason> = new Map([
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

/** Throws ServiceError for an unknown error: a bug, not the caller's fault. */
export function reasonOfLibraryError(error: unknown): SignedTokenReason {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  const reason = reasons.get(code);
  if (reason === undefined) throw new ServiceError('INTERNAL_ERROR', 'bug');
  return reason;
}

/** Adds the other name of EdDSA over Ed25519 (RFC 9864 §2.2), which the library supports but its types lack. */
const libraryNames = (algorithms: readonly Algorithm[]): LibraryAlgorithm[] =>
  algorithms.flatMap((name) => (name === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [name])) as LibraryAlgorithm[];

/** The options of a verifier. An undefined or empty option would mean "do not check". */
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
  // authn/ remembers verified tokens, and checks times, issuer and key again.
  cache: false,
  errorCacheTTL: -1,
});

/** The options of the registration. It can only verify, not sign. */
const verificationSecret = ({ material }: VerificationKey): { public: string | Buffer } => ({
  public: material.type === 'secret' ? material.export() : material.export({ type: 'spki', format: 'pem' }),
});

/** The library throws for every refusal. Collecting the stack would cost more than an HMAC. */
function verifyWithoutStack(verify: (token: string) => unknown, token: string): SignedTokenReason | undefined {
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
 * Creates one verifier per key, each its own registration of the plugin: the plugin's only path without a key look-up
 * and promises per request. The Fastify instance that holds them never listens and is collected with its keys.
 */
export const prepareVerifiers: PrepareVerifiers = async (issuer, keys) => {
  const host = Fastify({ schemaController: schemaCompilers });
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
