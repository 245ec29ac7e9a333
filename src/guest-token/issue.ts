// Issues guest tokens: reuses the user's token while it is valid, otherwise mints. Identical concurrent requests share
// one mint, and tokens are renewed before they become unusable. While the upstream is down, slow or rate limited, users
// with a token that still has some lifetime keep it, so that calls are left for users without one.
import { LRUCache } from 'lru-cache';
import type { Principal } from '../authn/principal.ts';
import type { Mint } from '../databrain/mint.ts';
import { ServiceError } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import { createSingleFlight } from '../single-flight.ts';
import {
  createMintAcrossReplicas,
  isOutage,
  type MintAcrossReplicasOptions,
  type MintedOrFound,
  spareWaitMs,
  type Wanted,
} from './mint-across-replicas.ts';
import {
  createGrantNames,
  secondsToShow,
  toGrantTag,
  toTokenSha256,
  usabilityOf,
  type ReusableToken,
  type ReuseKey,
} from './reusable-token.ts';

declare const minted: unique symbol;

export interface GuestToken {
  readonly [minted]: true;
  /** The UUID. Sent to the caller, never logged. */
  readonly token: string;
  /** Its identifier in the audit log. */
  readonly tokenSha256: string;
  /** Changes if the user or the rights change; see `toGrantTag`. */
  readonly grantTag: string;
  /** Remaining lifetime in whole seconds; at least 1. */
  readonly expiresInSeconds: number;
  /** Whether it was minted for an earlier request. */
  readonly reused: boolean;
}

/**
 * Returns the guest token for a grant: a reusable one if there is one, otherwise a new one. Throws ServiceError: an
 * UPSTREAM_* code, SHUTTING_DOWN, or TOKEN_EXPIRED if the access token has expired meanwhile.
 */
export type IssueGuestToken = (grant: Grant, principal: Principal) => Promise<GuestToken>;

/**
 * `hit`: reused. `shared`: from another replica. `joined`: waited for a concurrent mint. `spare`: an older token,
 * because the upstream is down.
 */
export type ReuseResult = 'hit' | 'shared' | 'joined' | 'spare' | 'minted';

export interface IssueEvents {
  /** Called once per issued guest token. */
  readonly onReuse: (result: ReuseResult) => void;
  /** Called once per background renewal. */
  readonly onRenewal: (result: 'renewed' | 'failed') => void;
}

export interface IssueOptions extends Omit<MintAcrossReplicasOptions, 'minimumShare' | 'keep'> {
  /** The upstream's address, a part of the reuse key. */
  readonly baseUrl: string;
  /** `off`: every request mints its own token, even concurrent ones; only the call queue limits them. */
  readonly mode: 'user' | 'off';
  readonly minRemainingPercent: number;
  readonly maxEntries: number;
  readonly events: IssueEvents;
  /** Whether a call for this grant would be sent at once: no open circuit, no pause, no waiting call. */
  readonly upstreamHasRoom: (grant: Grant) => boolean;
}

export interface Issue {
  readonly issue: IssueGuestToken;
  /** Starts no more background work and waits for the running one. */
  readonly close: () => Promise<void>;
}

/** A guest token without its tag. */
type HandedOut = Pick<GuestToken, 'token' | 'tokenSha256' | 'expiresInSeconds' | 'reused'>;

const maxRenewals = 8;
const maxFlights = 4_096;
const renewalPauseMs = 5_000;

/** Creates the only function that issues guest tokens. */
export function createIssue(options: IssueOptions): Issue {
  const { apiKeys, clock, events, upstreamHasRoom } = options;
  const minimumShare = options.minRemainingPercent / 100;
  // Bounded by the sum of sizes, not by `max`: that would allocate room for all entries at the start.
  const entries = new LRUCache<ReuseKey, ReusableToken>({ maxSize: options.maxEntries, sizeCalculation: () => 1 });
  const renewalNotBefore = new WeakMap<ReusableToken, number>();
  const flights = createSingleFlight<MintedOrFound>();
  const namesOf = createGrantNames(options.baseUrl, clock);
  /** API keys with a caller that timed out and no mint since: callers with a spare token no longer wait. */
  const timedOutKeys = new Set<string>();
  /** Waiting callers that have a spare token, by API key. */
  const waitingWithSpare = new Map<string, Set<() => void>>();
  let renewals = 0;
  let closed = false;

  const mint: Mint = async (grant, priority, spentMs) => {
    const minted = await options.mint(grant, priority, spentMs);
    timedOutKeys.delete(grant.apiKeyName);
    return minted;
  };
  const mintAcrossReplicas = createMintAcrossReplicas({
    ...options,
    mint,
    minimumShare,
    keep: (key, token) => entries.set(key, token),
  });

  const handOut = (token: ReusableToken, grant: Grant, result: ReuseResult): HandedOut => {
    const expiresInSeconds = secondsToShow(token, grant, clock);
    if (expiresInSeconds === undefined) {
      if (grant.notAfterMs !== undefined && grant.notAfterMs - clock.now() < 1_000) {
        throw new ServiceError('TOKEN_EXPIRED', 'access_token_ends_too_soon');
      }
      throw new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout');
    }
    events.onReuse(result);
    const { tokenSha256 } = token;
    return { token: token.token, tokenSha256, expiresInSeconds, reused: result !== 'minted' };
  };

  /**
   * Only requests with the same end of the access token share a flight, because its token must be valid for all of
   * them.
   */
  const joinFlight = (wanted: Wanted, known?: ReusableToken) => {
    const kind = known === undefined ? 'first' : 'next';
    return flights.join(`${kind} ${wanted.grant.notAfterMs} ${wanted.key}`, () => mintAcrossReplicas(wanted, known));
  };

  const renew = (wanted: Wanted, token: ReusableToken): void => {
    const now = clock.monotonic();
    if (now < (renewalNotBefore.get(token) ?? token.renewAt)) return;
    if (closed || renewals >= maxRenewals || !upstreamHasRoom(wanted.grant)) return;
    renewalNotBefore.set(token, now + renewalPauseMs * (1 + options.random()));
    renewals += 1;
    joinFlight(wanted, token)
      .result.then(
        () => events.onRenewal('renewed'),
        () => events.onRenewal('failed'),
      )
      .finally(() => (renewals -= 1));
  };

  /** The result, or UPSTREAM_TIMEOUT if this or another caller with this API key has timed out. */
  const withSpareTimeout = async (result: Promise<MintedOrFound>, apiKeyName: string): Promise<MintedOrFound> => {
    const waiting = waitingWithSpare.get(apiKeyName) ?? new Set();
    waitingWithSpare.set(apiKeyName, waiting);
    let stopWaiting: () => void = () => undefined;
    const timedOut = new Promise<never>((_, reject) => {
      stopWaiting = () => reject(new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout'));
    });
    waiting.add(stopWaiting);
    void options.pause(spareWaitMs).then(() => {
      if (!waiting.has(stopWaiting)) return;
      timedOutKeys.add(apiKeyName);
      for (const stop of waiting) stop();
    });
    try {
      return await Promise.race([result, timedOut]);
    } finally {
      waiting.delete(stopWaiting);
    }
  };

  /** For a user whose token has little lifetime left, but can be used if no new one arrives soon. */
  const replaceOrKeep = async (wanted: Wanted, spare: ReusableToken): Promise<HandedOut> => {
    const { grant } = wanted;
    const cannotMintSoon = !upstreamHasRoom(grant) || timedOutKeys.has(grant.apiKeyName);
    if (cannotMintSoon || flights.size() >= maxFlights) {
      renew(wanted, spare);
      return handOut(spare, grant, 'spare');
    }
    const { joined, result } = joinFlight(wanted, spare);
    try {
      const { token, source } = await withSpareTimeout(result, grant.apiKeyName);
      return handOut(token, grant, joined ? 'joined' : source === 'shared' ? 'shared' : 'minted');
    } catch (error) {
      if (!isOutage(error)) throw error;
      return handOut(spare, grant, 'spare');
    }
  };

  const getFirst = async (wanted: Wanted): Promise<HandedOut> => {
    if (flights.size() >= maxFlights) {
      throw new ServiceError('UPSTREAM_UNAVAILABLE', 'queue_full', { retryAfterSeconds: 1 });
    }
    const { joined, result } = joinFlight(wanted);
    const { token, source } = await result;
    if (source === 'found') return replaceOrKeep(wanted, token);
    return handOut(token, wanted.grant, source === 'spare' ? 'spare' : joined ? 'joined' : source);
  };

  const mintAlone = async (grant: Grant): Promise<HandedOut> => {
    const { token, sentAt, lifetimeMs } = await mint(grant, 'user');
    const { notAfterMs } = grant;
    const tokenSha256 = toTokenSha256(token);
    return handOut({ token, tokenSha256, sentAt, lifetimeMs, notAfterMs, renewAt: Infinity }, grant, 'minted');
  };

  /** Only asynchronous if there is no fresh token. */
  const reuseOrMint = (wanted: Wanted): HandedOut | Promise<HandedOut> => {
    const { grant } = wanted;
    const known = entries.get(wanted.key);
    const usability = known === undefined ? 'unusable' : usabilityOf(known, grant, minimumShare, clock);
    if (known === undefined || usability === 'unusable') return getFirst(wanted);
    if (usability === 'spare') return replaceOrKeep(wanted, known);
    renew(wanted, known);
    return handOut(known, grant, 'hit');
  };

  return {
    issue: async (grant, principal) => {
      const apiKey = apiKeys.get(grant.apiKeyName);
      if (apiKey === undefined) throw new ServiceError('INTERNAL_ERROR', 'api_key_missing');
      if (options.mode === 'off') {
        return { ...(await mintAlone(grant)), grantTag: toGrantTag(principal, grant, apiKey) } as GuestToken;
      }
      const { key, grantTag } = namesOf({ principal, grant, apiKey });
      const handedOut = reuseOrMint({ key, apiKey, grant });
      return { ...(handedOut instanceof Promise ? await handedOut : handedOut), grantTag } as GuestToken;
    },
    close: async () => {
      closed = true;
      await flights.settled();
    },
  };
}
