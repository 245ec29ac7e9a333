// The guest token for a grant: one that this user has already if it is still good, else a new one. Identical requests
// at the same moment cost one mint; a token is renewed before it becomes unusable; and while the upstream is down
// whoever has a token with some life left keeps working.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { Mint } from '../databrain/mint.ts';
import { ServiceError, type ErrorCode } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import type { GuestToken, IssueGuestToken } from './guest-token.ts';
import { createMintAcrossReplicas, type MintedAcrossReplicas } from './mint-across-replicas.ts';
import { judge, secondsToShow, type ReusableToken } from './reusable-token.ts';
import { toReuseKey, type ReuseKey } from './reuse-key.ts';
import type { SharedTokens } from './shared-tokens.ts';
import { createSingleFlight } from './single-flight.ts';

/** `hit`: had it. `shared`: another replica had it. `joined`: waited with others. `spare`: the upstream is down. */
export type ReuseResult = 'hit' | 'shared' | 'joined' | 'spare' | 'minted';

export interface IssueEvents {
  /** Once per guest token that is handed out. */
  readonly onReuse: (result: ReuseResult) => void;
  /** Once per renewal in the background. */
  readonly onRenewal: (result: 'renewed' | 'failed') => void;
}

export interface IssueOptions {
  readonly mint: Mint;
  readonly apiKeys: ApiKeys;
  /** The upstream's address; a token of another one is another token. */
  readonly baseUrl: string;
  /** `off`: every request mints its own token, also those of the same moment; only the upstream client's queue bounds them. */
  readonly mode: 'user' | 'off';
  readonly minRemainingPercent: number;
  readonly maxEntries: number;
  readonly clock: Clock;
  /** Between 0 (included) and 1 (not). */
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly events: IssueEvents;
  readonly shared?: SharedTokens;
  /** Whether a mint would be refused unsent: then a spare token is handed out without trying first. */
  readonly upstreamIsDown?: () => boolean;
}

export interface Issue {
  readonly issue: IssueGuestToken;
  /** Forgets the tokens of this process. Those in the shared store stay, under keys that only equal requests find. */
  readonly clear: () => void;
  /** Starts nothing in the background any more and waits for what runs. */
  readonly close: () => Promise<void>;
}

/** Faults of the upstream for which a spare token is handed out; not when it refuses our request, as then it would refuse a renewal too. */
const outages: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_INVALID_RESPONSE',
]);

const isOutage = (error: unknown): error is ServiceError => error instanceof ServiceError && outages.has(error.code);

const maxRenewals = 8;
const maxFlights = 4_096;
const renewalPauseMs = 5_000;
/** Whoever holds a spare token waits this long for a fresh one: an upstream that takes longer is as good as down. */
const patienceMs = 1_500;

/** Creates the only function that hands out guest tokens. */
export function createIssue(options: IssueOptions): Issue {
  const { mint, apiKeys, baseUrl, clock, random, events } = options;
  const minimumShare = options.minRemainingPercent / 100;
  const entries = new LRUCache<ReuseKey, ReusableToken>({ max: options.maxEntries });
  const renewalNotBefore = new WeakMap<ReusableToken, number>();
  const flights = createSingleFlight<MintedAcrossReplicas>();
  const obtain = createMintAcrossReplicas({ ...options, minimumShare, keep: (key, token) => entries.set(key, token) });
  let renewals = 0;
  let closed = false;

  const handOut = (token: ReusableToken, grant: Grant, result: ReuseResult): GuestToken => {
    const expiresInSeconds = secondsToShow(token, grant, clock);
    if (expiresInSeconds < 1) {
      if (grant.notAfterMs !== undefined && grant.notAfterMs - clock.now() < 1_000) {
        throw new ServiceError('TOKEN_EXPIRED', 'access_token_ends_too_soon');
      }
      throw new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout');
    }
    events.onReuse(result);
    return { token: token.token, expiresInSeconds, reused: result !== 'minted' } as GuestToken;
  };

  const fly = (key: ReuseKey, apiKey: Secret, grant: Grant, known?: ReusableToken) =>
    flights.join(key, () => obtain.fresh(key, apiKey, grant, known));

  const renew = (key: ReuseKey, apiKey: Secret, grant: Grant, token: ReusableToken): void => {
    const now = clock.monotonic();
    if (closed || renewals >= maxRenewals || now < (renewalNotBefore.get(token) ?? token.renewAt)) return;
    renewalNotBefore.set(token, now + renewalPauseMs * (1 + random()));
    renewals += 1;
    fly(key, apiKey, grant, token)
      .result.then(
        () => events.onRenewal('renewed'),
        () => events.onRenewal('failed'),
      )
      .finally(() => (renewals -= 1));
  };

  const spareOf = async (key: ReuseKey, apiKey: Secret, grant: Grant): Promise<ReusableToken | undefined> => {
    const isSpare = (token: ReusableToken | undefined): token is ReusableToken =>
      token !== undefined && judge(token, grant, minimumShare, clock) !== 'unusable';
    const own = entries.get(key);
    if (isSpare(own)) return own;
    const others = await obtain.fromOthersAnyway(key, apiKey);
    if (!isSpare(others)) return undefined;
    entries.set(key, others);
    return others;
  };

  const giveUpAfterPatience = async (): Promise<never> => {
    await options.pause(patienceMs);
    throw new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout');
  };

  const reuseOrObtain = async (key: ReuseKey, apiKey: Secret, grant: Grant): Promise<GuestToken> => {
    const known = entries.get(key);
    const usability = known === undefined ? 'unusable' : judge(known, grant, minimumShare, clock);
    const isSpare = usability === 'spare';
    if (known !== undefined && (usability === 'fresh' || (isSpare && options.upstreamIsDown?.() === true))) {
      renew(key, apiKey, grant, known);
      return handOut(known, grant, isSpare ? 'spare' : 'hit');
    }
    if (flights.size() >= maxFlights) {
      throw new ServiceError('UPSTREAM_UNAVAILABLE', 'queue_full', { retryAfterSeconds: 1 });
    }
    const { joined, result } = fly(key, apiKey, grant);
    try {
      const { token, source } = await (isSpare ? Promise.race([result, giveUpAfterPatience()]) : result);
      return handOut(token, grant, joined ? 'joined' : source);
    } catch (error) {
      if (!isOutage(error)) throw error;
      const spare = (await spareOf(key, apiKey, grant)) ?? (isSpare ? known : undefined);
      if (spare === undefined) throw error;
      return handOut(spare, grant, 'spare');
    }
  };

  const mintAlone = async (grant: Grant): Promise<GuestToken> => {
    const minted = await mint(grant);
    return handOut({ ...minted, renewAt: Infinity }, grant, 'minted');
  };

  const issue: IssueGuestToken = async (grant, principal) => {
    const apiKey = apiKeys.get(grant.apiKeyName);
    // Without a key there is nothing to name a token by; mint says what is missing.
    if (options.mode === 'off' || apiKey === undefined) return mintAlone(grant);
    const apiKeyIdentity = apiKey.identity();
    return reuseOrObtain(toReuseKey({ principal, grant, apiKeyIdentity, baseUrl, clock }), apiKey, grant);
  };

  return {
    issue,
    clear: () => entries.clear(),
    close: async () => {
      closed = true;
      await flights.settled();
    },
  };
}
