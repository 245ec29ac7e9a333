// @fastify/jwt, one registration per issuer: its algorithms, iss, aud and tolerance are bound where its key is chosen,
// so that nothing of one issuer counts for another. Which key, and all strictness of form, is authn/'s work.
import fastifyJwt from '@fastify/jwt';
import type { Algorithm as LibraryAlgorithm } from 'fast-jwt';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Algorithm } from '../authn/keys/algorithms.ts';
import type { IssuerConfig } from '../authn/issuer.ts';
import type { VerifyJws } from '../authn/verify-jws.ts';
import { ServiceError, type AuthnReason } from '../errors.ts';

/** What a refusal by the library means. Its messages hold claims and are never passed on. */
const refusals: ReadonlyMap<unknown, AuthnReason> = new Map([
  ['FAST_JWT_INVALID_TYPE', 'token_type_refused'],
  ['FAST_JWT_INVALID_ALGORITHM', 'algorithm_refused'],
  ['FAST_JWT_INVALID_CLAIM_TYPE', 'claim_invalid'],
  ['FAST_JWT_INVALID_CLAIM_VALUE', 'claim_invalid'],
  ['FAST_JWT_INVALID_KEY', 'signature_invalid'],
  ['FAST_JWT_INVALID_SIGNATURE', 'signature_invalid'],
  ['FAST_JWT_INVALID_PAYLOAD', 'token_malformed'],
  ['FAST_JWT_MALFORMED', 'token_malformed'],
  ['FAST_JWT_INACTIVE', 'token_not_yet_valid'],
  ['FAST_JWT_MISSING_REQUIRED_CLAIM', 'claim_missing'],
  ['FAST_JWT_MISSING_SIGNATURE', 'token_malformed'],
  ['FAST_JWT_INVALID_CRIT_HEADER', 'token_header_refused'],
  ['FAST_JWT_VERIFY_ERROR', 'signature_invalid'],
  // The plugin's own name for a bad signature and for bad claims; the claims were checked before it was asked.
  ['FST_JWT_AUTHORIZATION_TOKEN_INVALID', 'signature_invalid'],
  ['FST_JWT_AUTHORIZATION_TOKEN_UNTRUSTED', 'signature_invalid'],
  ['FST_JWT_BAD_REQUEST', 'token_malformed'],
]);

const expired: ReadonlySet<unknown> = new Set(['FAST_JWT_EXPIRED', 'FST_JWT_AUTHORIZATION_TOKEN_EXPIRED']);

/** The plugin's refusal in our words. Anything that is not in the tables is a bug, not the caller's fault. */
export function toServiceError(error: unknown): ServiceError {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (expired.has(code)) return new ServiceError('TOKEN_EXPIRED', 'token_expired', { claim: 'exp' });
  const reason = refusals.get(code);
  return reason === undefined ? new ServiceError('INTERNAL_ERROR', 'bug') : new ServiceError('INVALID_TOKEN', reason);
}

/**
 * The plugin keeps one verifier per distinct key text for ever. Past this many keys of one issuer (half a year of hourly
 * rotation) a new key goes in as bytes, which it does not keep: slower, but bounded.
 */
const defaultMaxKeptVerifiers = 5_000;

/** Both names of EdDSA over Ed25519 (RFC 9864 §2.2). The library verifies the second one but its types do not name it. */
const libraryNames = (algorithms: readonly Algorithm[]): LibraryAlgorithm[] =>
  algorithms.flatMap((name) => (name === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [name])) as LibraryAlgorithm[];

interface Selection {
  readonly token: string;
  readonly key: string;
}

/** Registers the plugin for every issuer; await it before the routes. Gives each request its verifier. */
export async function registerJwt(
  app: FastifyInstance,
  issuers: readonly IssuerConfig[],
  { maxKeptVerifiers = defaultMaxKeptVerifiers }: { maxKeptVerifiers?: number } = {},
): Promise<(request: FastifyRequest) => VerifyJws> {
  const selections = new WeakMap<FastifyRequest, Selection>();
  const methods = new Map<string, string>();

  for (const [index, issuer] of issuers.entries()) {
    const method = `verifyIssuer${index}`;
    methods.set(issuer.iss, method);
    const kept = new Set<string>();
    await app.register(fastifyJwt, {
      namespace: `issuer${index}`,
      jwtVerify: method,
      decoratorName: 'verifiedClaims',
      // A function that gives text is the plugin's one fast path; it comes from our keys, never from the token.
      secret: (
        request: FastifyRequest,
        _token: unknown,
        done: (error: Error | null, key?: string | Buffer) => void,
      ) => {
        const selection = selections.get(request);
        if (selection === undefined) return done(new Error('no key was chosen'));
        if (kept.size < maxKeptVerifiers) kept.add(selection.key);
        done(null, kept.has(selection.key) ? selection.key : Buffer.from(selection.key));
      },
      verify: {
        algorithms: libraryNames(issuer.algorithms),
        allowedIss: issuer.iss,
        allowedAud: [...issuer.audience],
        requiredClaims: [
          'exp',
          'sub',
          ...(issuer.allowMissingIssuer ? [] : ['iss']),
          ...(issuer.allowMissingAudience ? [] : ['aud']),
        ],
        clockTolerance: issuer.clockToleranceSeconds * 1000,
        cache: false,
        errorCacheTTL: -1,
        extractToken: (request) => selections.get(request)?.token,
      },
    });
  }

  return (request) => async (issuer, token, key) => {
    const method: unknown = Reflect.get(request, methods.get(issuer.iss) ?? '');
    if (typeof method !== 'function') throw new ServiceError('INTERNAL_ERROR', 'bug');
    selections.set(request, { token, key: key.material.reveal() });
    try {
      const payload: unknown = await Reflect.apply(method, request, []);
      if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
        throw new ServiceError('INVALID_TOKEN', 'token_malformed');
      }
      return payload as Record<string, unknown>;
    } catch (error) {
      throw error instanceof ServiceError ? error : toServiceError(error);
    } finally {
      selections.delete(request);
    }
  };
}
