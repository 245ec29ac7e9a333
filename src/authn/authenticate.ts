// From a token to a Principal (RFC 7519 §7.2, RFC 8725 §3): the form, then the issuer, then its key, then signature
// and claims by the verifier, then our own checks of what it gave back. The only maker of Principals.
import type { Clock } from '../clock.ts';
import { ServiceError, type Reason } from '../errors.ts';
import { candidateKeys, expectKey, type Issuer } from './keys/candidate-keys.ts';
import { parseCompactJws } from './compact-jws.ts';
import { createIssuerKeys } from './keys/issuer-keys.ts';
import type { IssuerConfig } from './issuer.ts';
import { readJoseHeader } from './jose-header.ts';
import { identityOf, type KeyRing, type LoadedKey } from './keys/key-ring.ts';
import { createDocumentFetcher } from './keys/key-set-fetch.ts';
import { defaultTimings, type KeySetEvents, type KeySetState, type KeySetTimings } from './keys/key-set.ts';
import type { Principal } from './principal.ts';
import { KeyRefused } from './keys/public-key.ts';
import { refusal } from './refusal.ts';
import { checkTimes, readRegisteredClaims, type RegisteredClaims } from './registered-claims.ts';
import { createRememberedTokens } from './remembered-tokens.ts';
import type { Secret } from '../secrets/secret.ts';
import { deepFreeze } from '../deep-freeze.ts';
import { createOnePerTick } from './one-per-tick.ts';
import { own, type JsonObject } from '../strict-json.ts';
import type { VerifyJws } from './verify-jws.ts';

export interface AuthenticatorOptions {
  /** Distinct `iss`; at least one. */
  readonly issuers: readonly IssuerConfig[];
  readonly clock: Clock;
  readonly events: KeySetEvents;
  /** Only tests set these. */
  readonly timings?: Partial<KeySetTimings>;
  readonly maxKeySetBytes?: number;
  readonly maxRememberedTokens?: number;
}

export interface Authenticator {
  /**
   * Throws ServiceError: INVALID_TOKEN, TOKEN_EXPIRED (all else was good), AUTHENTICATION_UNAVAILABLE (the issuer's
   * keys cannot be had). `verify` is this request's verifier, made by http/jwt.ts.
   */
  readonly authenticate: (token: string, verify: VerifyJws) => Promise<Principal>;
  /** Whether the keys of at least one issuer are at hand. */
  readonly ready: () => boolean;
  /** Takes a changed JWT_SECRET_FILE or JWT_PUBLIC_KEY_FILE into use. Throws, without the text, and keeps the old keys. */
  readonly replaceKeys: (iss: string, text: string) => void;
  /** Whether tokens are verified with this very text as HMAC secret now. */
  readonly isSigningSecret: (text: Secret) => boolean;
  /** Begins to fetch keys; does not wait for them. */
  readonly start: () => void;
  readonly close: () => Promise<void>;
  /** One entry per issuer whose keys are fetched. */
  readonly keySetState: () => readonly KeySetState[];
}

const timeReasons: ReadonlySet<Reason> = new Set<Reason>(['token_expired', 'token_not_yet_valid']);

const maxRememberedBytes = 64 * 1024 * 1024;

function toPrincipal(config: IssuerConfig, registered: RegisteredClaims, claims: JsonObject): Principal {
  const principal = { iss: config.iss, sub: registered.sub, exp: registered.exp, claims: deepFreeze(claims) };
  return Object.freeze(principal) as Principal;
}

/** Opens nothing before `start`. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { clock, events } = options;
  const timings = { ...defaultTimings, ...options.timings };
  const fetcher = createDocumentFetcher({
    connectTimeoutMs: timings.timeoutMs,
    maxBytes: options.maxKeySetBytes ?? 512 * 1024,
  });
  const issuers = new Map<string, Issuer>(
    options.issuers.map((config) => [
      config.iss,
      { config, keys: createIssuerKeys(config, { fetcher, clock, timings, events }) },
    ]),
  );
  const remembered = createRememberedTokens(options.maxRememberedTokens ?? 10_000, maxRememberedBytes);
  const turn = createOnePerTick();

  const hasSecret = ({ config, keys }: Issuer, identity: string): boolean =>
    config.keys.kind === 'secret' && keys.ring()?.materials.has(identity) === true;

  const sharesSecret = (issuer: Issuer, ring: KeyRing): boolean =>
    [...ring.materials].some((identity) => hasSecret(issuer, identity));

  /** The issuer that the token names, exactly; or the only one there is, if tokens may name none. */
  function issuerOf(payload: JsonObject): Issuer {
    if (!Object.hasOwn(payload, 'iss')) {
      const [only, ...others] = issuers.values();
      if (only === undefined || others.length > 0 || !only.config.allowMissingIssuer) {
        throw refusal('claim_missing', 'iss');
      }
      return only;
    }
    const iss = own(payload, 'iss');
    const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined;
    if (issuer === undefined) throw refusal('issuer_refused', 'iss');
    return issuer;
  }

  /** The payload that one of the keys vouches for, and that key. */
  async function verifyWithOneOf(
    candidates: readonly LoadedKey[],
    config: IssuerConfig,
    token: string,
    verify: VerifyJws,
  ): Promise<{ claims: JsonObject; key: LoadedKey }> {
    for (const key of candidates) {
      try {
        return { claims: await verify(config, token, key), key };
      } catch (error) {
        if (!(error instanceof ServiceError) || error.reason !== 'signature_invalid') throw error;
      }
    }
    throw refusal('signature_invalid');
  }

  /** A remembered token is good as long as the key that verified it is in force and its times are. */
  function recall(token: string): Principal | undefined {
    const known = remembered.get(token);
    if (known === undefined) return undefined;
    const { principal, registered, iss, key } = known;
    const issuer = issuers.get(iss);
    const ring = issuer?.keys.ring();
    if (issuer === undefined || ring?.holds(key) !== true) {
      remembered.forget(token);
      return undefined;
    }
    try {
      checkTimes(registered, issuer.config, clock.now());
    } catch (error) {
      remembered.forget(token);
      throw error;
    }
    return principal;
  }

  async function verifyNew(token: string, verify: VerifyJws): Promise<Principal> {
    const { header, payload, signatureLength } = parseCompactJws(token);
    const issuer = issuerOf(payload);
    const { config } = issuer;
    const joseHeader = readJoseHeader(header, config);
    // Before the verifier too: it answers odd types and dates with exceptions that are not refusals.
    const unverified = readRegisteredClaims(payload, config);

    await expectKey(issuer, joseHeader);
    candidateKeys(issuer, joseHeader, signatureLength); // What no key can have signed is refused without a turn.
    await turn();
    // While it waited, keys may have changed, and a page with many embeds sends its new token many times at once.
    const known = recall(token);
    if (known !== undefined) return known;
    const candidates = candidateKeys(issuer, joseHeader, signatureLength);
    const { claims, key } = await verifyWithOneOf(candidates, config, token, verify).catch((error: unknown) => {
      // The verifier looks at times after the signature; ours says whom it concerns and puts `exp` last.
      if (error instanceof ServiceError && timeReasons.has(error.reason)) checkTimes(unverified, config, clock.now());
      throw error;
    });
    const registered = readRegisteredClaims(claims, config);
    checkTimes(registered, config, clock.now());

    const principal = toPrincipal(config, registered, claims);
    remembered.add(token, { principal, registered, iss: config.iss, key: identityOf(key) });
    return principal;
  }

  return {
    authenticate: async (token, verify) => recall(token) ?? verifyNew(token, verify),
    ready: () => [...issuers.values()].some(({ keys }) => keys.ring() !== undefined),
    replaceKeys: (iss, text) => {
      const issuer = issuers.get(iss);
      if (issuer === undefined) throw new Error('no such issuer is configured');
      issuer.keys.replace(text, (next) => {
        for (const other of issuers.values()) {
          if (other !== issuer && sharesSecret(other, next))
            throw new KeyRefused('is the secret of another issuer too');
        }
      });
    },
    isSigningSecret: (text) => [...issuers.values()].some((issuer) => hasSecret(issuer, text.identity())),
    start: () => {
      for (const { keys } of issuers.values()) keys.start();
    },
    close: async () => {
      for (const { keys } of issuers.values()) keys.close();
      await fetcher.close();
    },
    keySetState: () =>
      [...issuers.values()].flatMap(({ keys }) => {
        const state = keys.state();
        return state === undefined ? [] : [state];
      }),
  };
}
