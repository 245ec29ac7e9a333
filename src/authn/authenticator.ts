// Verifies a token and makes the Principal (RFC 7519 §7.2, RFC 8725 §3): checks the form, finds the issuer and its key,
// then lets the verifier check signature and claims. Returns refusals as values. Only this file creates a Principal.
import type { Clock } from '../clock.ts';
import type { Egress } from '../egress/egress.ts';
import { LoadProblem } from '../problem.ts';
import type { Secret } from '../secrets/secret.ts';
import { deepFreeze, type JsonObject, own } from '../strict-json.ts';
import { maxTokenBytes, parseCompactJws, readJoseHeader, type JoseHeader } from './compact-jws.ts';
import type { IssuerConfig } from './issuer.ts';
import { signatureBytesOf } from './keys/algorithms.ts';
import { createIssuerKeys, type IssuerKeys, type PrepareVerifiers } from './keys/issuer-keys.ts';
import { type ActiveKey, isSecretOf, shareSecret, type VerificationKey } from './keys/verification-keys.ts';
import { createDocumentFetcher } from './keys/document-fetcher.ts';
import { defaultTimings, type KeySetEvents, type KeySetAge, type KeySetTimings } from './keys/fetched-keys.ts';
import type { Principal } from './principal.ts';
import { readRegisteredClaims, timeRefusal, type RegisteredClaims } from './registered-claims.ts';
import { createRememberedTokens, digestOf, type TokenDigest } from './remembered-tokens.ts';
import {
  isRefusal,
  refuseExpired,
  refuseForNow,
  refuseLongToken,
  refuseToken,
  type TokenRefusal,
} from './token-refusal.ts';
import { createTimeBudget } from './time-budget.ts';

export interface AuthenticatorOptions {
  /** Distinct `iss`; at least one. */
  readonly issuers: readonly IssuerConfig[];
  readonly prepareVerifiers: PrepareVerifiers;
  /** How issuers are reached. */
  readonly createAgent: Egress['createAgent'];
  readonly clock: Clock;
  readonly events: KeySetEvents;
  /** Whether to check the signature even if a claim is refused, so that the refusal can say who wrote the claim. */
  readonly explains?: boolean;
  /** Only tests set these. */
  readonly timings?: Partial<KeySetTimings> | undefined;
  readonly maxKeySetBytes?: number | undefined;
  readonly maxRememberedTokens?: number | undefined;
}

export interface Authenticator {
  /**
   * The principal, or a refusal: 401, 431 for a token over 16 KiB, or 503 if the issuer's keys could not be fetched or
   * the token names a key that may not be looked up yet. Throws or rejects only for bugs.
   */
  readonly authenticate: (token: string) => Principal | TokenRefusal | Promise<Principal | TokenRefusal>;
  /** The principal, if this exact token was verified before and is still valid. Verifies nothing. */
  readonly recall: (token: string) => Principal | undefined;
  /** Whether the keys of at least one issuer are loaded. */
  readonly ready: () => boolean;
  /**
   * Applies a changed JWT_SECRET_FILE or JWT_PUBLIC_KEY_FILE. On a bad text it rejects, without quoting it, and keeps
   * the old keys. `accept` is called right before the change and may throw to prevent it.
   */
  readonly replaceKeys: (
    iss: string,
    text: string,
    accept: (next: readonly VerificationKey[]) => void,
  ) => Promise<void>;
  /** Whether this text is an HMAC secret that tokens are verified with. */
  readonly isSigningSecret: (text: Secret) => boolean;
  /** Starts to fetch keys, without waiting for them. */
  readonly start: () => void;
  /** Resolves when the running fetches have ended. */
  readonly settled: () => Promise<void>;
  readonly close: () => Promise<void>;
  /** One entry per issuer whose keys are fetched. */
  readonly keySetAges: () => readonly KeySetAge[];
}

const maxRememberedBytes = 64 * 1024 * 1024;

interface Issuer {
  readonly config: IssuerConfig;
  readonly keys: IssuerKeys;
}

/** A token whose form and claims are valid, and whose signature is not checked yet. */
interface UnverifiedToken {
  readonly token: string;
  readonly digest: TokenDigest;
  readonly issuer: Issuer;
  readonly header: JoseHeader;
  readonly claims: JsonObject;
  readonly registered: RegisteredClaims;
  /** In bytes. */
  readonly signatureLength: number;
}

function toPrincipal({ issuer, registered, claims }: UnverifiedToken): Principal {
  const principal = { iss: issuer.config.iss, sub: registered.sub, exp: registered.exp, claims: deepFreeze(claims) };
  return Object.freeze(principal) as Principal;
}

/** The active keys that may have signed the token, at least one; or the refusal. */
function candidateKeys(
  { config, keys }: Issuer,
  { kid, algorithm }: JoseHeader,
  signatureLength: number,
): readonly ActiveKey[] | TokenRefusal {
  const ring = keys.ring();
  if (ring === undefined) return refuseForNow('keys_unavailable', keys.nextFetchSeconds());
  const able = ring.candidates(kid, algorithm);
  if (able.length === 0) {
    return kid !== undefined && ring.hasKid(kid)
      ? refuseToken('algorithm_refused', { received: algorithm, expected: config.algorithms })
      : refuseToken('key_unknown', { received: kid, expected: ring.kids });
  }
  // RFC 8017 §8.1.2 step 1. OpenSSL accepts a PSS signature without its leading zeros. A token with two valid spellings
  // could bypass whatever identifies tokens by their text.
  const fitting = able.filter(({ modulusBytes }) => signatureBytesOf(algorithm, modulusBytes) === signatureLength);
  return fitting.length === 0 ? refuseToken('signature_invalid', { isSigned: false }) : fitting;
}

/** Opens no connection before `start`. Rejects only for bugs: the configuration is already checked. */
export async function createAuthenticator(options: AuthenticatorOptions): Promise<Authenticator> {
  const { prepareVerifiers, clock, events, explains = false } = options;
  const timings = { ...defaultTimings, ...options.timings };
  const fetcher = createDocumentFetcher({
    createAgent: options.createAgent,
    connectTimeoutMs: timings.timeoutMs,
    maxBytes: options.maxKeySetBytes ?? 512 * 1024,
  });
  const issuers = new Map<string, Issuer>();
  for (const config of options.issuers) {
    const keys = await createIssuerKeys(config, { prepareVerifiers, fetcher, clock, timings, events });
    issuers.set(config.iss, { config, keys });
  }
  const remembered = createRememberedTokens(options.maxRememberedTokens ?? 10_000, maxRememberedBytes);
  const runWithinBudget = createTimeBudget(clock.monotonic);

  const keysOf = ({ keys }: Issuer): readonly ActiveKey[] => keys.ring()?.keys ?? [];

  /** The issuer that the token names exactly; or the only issuer, if it may be omitted. */
  function issuerOf(payload: JsonObject): Issuer | TokenRefusal {
    if (!Object.hasOwn(payload, 'iss')) {
      const [only, ...others] = issuers.values();
      const isAllowed = only !== undefined && others.length === 0 && only.config.allowMissingIssuer;
      return isAllowed ? only : refuseToken('claim_missing', { claim: 'iss', expected: [...issuers.keys()] });
    }
    const iss = own(payload, 'iss');
    const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined;
    return issuer ?? refuseToken('issuer_refused', { claim: 'iss', received: iss, expected: [...issuers.keys()] });
  }

  /** A remembered token is valid while the key that verified it is active and its time claims hold. */
  function recall(digest: TokenDigest): Principal | TokenRefusal | undefined {
    const known = remembered.get(digest);
    if (known === undefined) return undefined;
    const { principal, registered, key } = known;
    const issuer = issuers.get(principal.iss);
    const isActive = issuer?.keys.ring()?.isActive(key) === true;
    const refusal = issuer && isActive ? timeRefusal(registered, issuer.config, clock.now()) : undefined;
    if (isActive && refusal === undefined) return principal;
    remembered.forget(digest);
    return refusal;
  }

  /** Tries the current keys. Synchronous: this blocks the event loop. */
  function verifyNow(unverified: UnverifiedToken): Principal | TokenRefusal {
    const { token, digest, issuer, header, registered, signatureLength } = unverified;
    // While the token waited, keys may have changed; and a page with many embeds sends the same token many times at
    // once.
    const known = recall(digest);
    if (known !== undefined) return known;
    const candidates = candidateKeys(issuer, header, signatureLength);
    if (isRefusal(candidates)) return candidates;
    for (const key of candidates) {
      const reason = key.verify(token);
      if (reason === 'signature_invalid') continue;
      // The verifier checks times too, but this refusal names the user and checks `exp` last.
      const refusal = timeRefusal(registered, issuer.config, clock.now());
      if (refusal !== undefined) return refusal;
      if (reason === 'token_expired')
        return refuseExpired({ iss: issuer.config.iss, sub: registered.sub, isSigned: true });
      if (reason !== undefined) return refuseToken(reason, { isSigned: true });
      const principal = toPrincipal(unverified);
      remembered.add(digest, { principal, registered, key });
      return principal;
    }
    return refuseToken('signature_invalid', { isSigned: false });
  }

  /** Waits for the first fetch of keys, or for one that an unknown `kid` causes, and for the time budget. */
  async function verifyWhenReady(unverified: UnverifiedToken): Promise<Principal | TokenRefusal> {
    const { issuer, header, registered, signatureLength } = unverified;
    if (issuer.keys.ring() === undefined) await issuer.keys.settled();
    const attempt = (): Principal | TokenRefusal | Promise<Principal | TokenRefusal> => {
      // If no key can have signed it, refuse at once.
      const candidates = candidateKeys(issuer, header, signatureLength);
      return isRefusal(candidates) ? candidates : runWithinBudget(() => verifyNow(unverified));
    };
    const first = await attempt();
    if (!isRefusal(first) || first.isSigned === true) return first;
    const lookUp = header.kid === undefined ? undefined : issuer.keys.lookUpOf?.(header.kid);
    if (lookUp === undefined) return first;
    // An expired token stays expired with any key: fetch no keys.
    if (timeRefusal(registered, issuer.config, clock.now()) !== undefined) return first;
    const waitSeconds = await lookUp();
    if (waitSeconds !== undefined) return refuseForNow('key_not_looked_up', waitSeconds, { received: header.kid });
    return attempt();
  }

  /** Adds to a refused claim whether the token's signature is valid. */
  async function withSignatureCheck(
    refusal: TokenRefusal,
    { token, issuer, header, signatureLength }: Omit<UnverifiedToken, 'claims' | 'registered' | 'digest'>,
  ): Promise<TokenRefusal> {
    const candidates = candidateKeys(issuer, header, signatureLength);
    if (isRefusal(candidates)) return refusal;
    try {
      const reasons = await runWithinBudget(() => candidates.map(({ verify }) => verify(token)));
      return { ...refusal, isSigned: reasons.some((reason) => reason !== 'signature_invalid') };
    } catch {
      // The verifier may throw for other faults of the token.
      return refusal;
    }
  }

  function verifyNew(token: string, digest: TokenDigest): TokenRefusal | Promise<Principal | TokenRefusal> {
    const parsed = parseCompactJws(token);
    if (isRefusal(parsed)) return parsed;
    const { payload: claims, signatureLength } = parsed;
    const issuer = issuerOf(claims);
    if (isRefusal(issuer)) return issuer;
    const header = readJoseHeader(parsed.header, issuer.config);
    if (isRefusal(header)) return header;
    // Before the verifier, which throws for unexpected types and dates.
    const registered = readRegisteredClaims(claims, issuer.config);
    if (!isRefusal(registered)) {
      return verifyWhenReady({ token, digest, issuer, header, claims, registered, signatureLength });
    }
    return explains && registered.received !== undefined
      ? withSignatureCheck(registered, { token, issuer, header, signatureLength })
      : registered;
  }

  return {
    authenticate: (token) => {
      if (token.length > maxTokenBytes) return refuseLongToken();
      const digest = digestOf(token);
      return recall(digest) ?? verifyNew(token, digest);
    },
    recall: (token) => {
      const known = token.length > maxTokenBytes ? undefined : recall(digestOf(token));
      return known === undefined || isRefusal(known) ? undefined : known;
    },
    ready: () => [...issuers.values()].some(({ keys }) => keys.ring() !== undefined),
    replaceKeys: async (iss, text, accept) => {
      const issuer = issuers.get(iss);
      // A new key must never be dropped in silence, although only issuers with configured keys have one to watch.
      if (issuer?.keys.replace === undefined) throw new Error('this issuer has no configured keys');
      await issuer.keys.replace(text, (next) => {
        for (const other of issuers.values()) {
          if (other !== issuer && shareSecret(next, keysOf(other)))
            throw new LoadProblem('is also the secret of another issuer');
        }
        accept(next);
      });
    },
    isSigningSecret: (text) =>
      [...issuers.values()].some((issuer) => keysOf(issuer).some((key) => isSecretOf(key, text))),
    start: () => {
      for (const { keys } of issuers.values()) keys.start();
    },
    settled: async () => {
      await Promise.all([...issuers.values()].map(({ keys }) => keys.settled()));
    },
    close: async () => {
      for (const { keys } of issuers.values()) keys.close();
      await fetcher.close();
    },
    keySetAges: () =>
      [...issuers.values()].flatMap(({ keys }) => {
        const age = keys.age();
        return age === undefined ? [] : [age];
      }),
  };
}
