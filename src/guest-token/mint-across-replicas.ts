// A token that this process does not have yet: from another replica, if one has it or is minting it just now, else
// minted. Which of both never changes what the caller may get.
import type { Clock } from '../clock.ts';
import type { Mint, MintPriority } from '../databrain/mint.ts';
import { ServiceError, type ErrorCode } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import { toTokenSha256 } from './guest-token.ts';
import { remainingMs, usabilityOf, type ReusableToken, type Usability } from './reusable-token.ts';
import type { ReuseKey } from './reuse-key.ts';
import type { SharedToken, SharedTokens } from './shared-tokens.ts';

/** What somebody asked for: a grant, the API key that mints for it, and the name under which its token is reused. */
export interface Wanted {
  readonly key: ReuseKey;
  readonly apiKey: Secret;
  readonly grant: Grant;
}

/**
 * - `minted`, `shared`: a fresh token, from the upstream or from another replica;
 * - `found`: another replica's token with less life than the settings ask for; nothing was minted yet;
 * - `spare`: the same, because minting failed or takes too long.
 */
export interface Obtained {
  readonly token: ReusableToken;
  readonly source: 'minted' | 'shared' | 'found' | 'spare';
}

interface ObtainOptions {
  readonly mint: Mint;
  readonly apiKeys: ApiKeys;
  readonly minimumShare: number;
  /** Bounds waiting for another replica and minting together, in milliseconds. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly shared?: SharedTokens | undefined;
  /** Keeps a token for this process. */
  readonly keep: (key: ReuseKey, token: ReusableToken) => void;
}

/** With `known`: a token to replace that one, without taking a turn from somebody who has none. Throws what `mint` throws. */
export type Obtain = (wanted: Wanted, known?: ReusableToken) => Promise<Obtained>;

/** Whoever could have a spare token waits this long for a fresh one. */
export const patienceMs = 1_500;

/** Faults of the upstream for which a spare token is handed out; not when it refuses our request, as then it would refuse a renewal too. */
const outages: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_INVALID_RESPONSE',
]);

export const isOutage = (error: unknown): error is ServiceError =>
  error instanceof ServiceError && outages.has(error.code);

export function createObtain(options: ObtainOptions): Obtain {
  const { mint, apiKeys, minimumShare, deadlineMs, clock, random, pause, shared, keep } = options;

  /** Renewed when 70 to 95 % of the time is over in which it is fresh; at random, so that users do not renew together. */
  const withRenewal = (token: Omit<ReusableToken, 'renewAt' | 'tokenSha256'>): ReusableToken => {
    const freshForMs = token.lifetimeMs * (1 - minimumShare);
    const renewAt = token.sentAt + freshForMs * (0.7 + 0.25 * random());
    return { ...token, tokenSha256: toTokenSha256(token.token), renewAt };
  };

  const adopt = ({ remainingMs: left, ...token }: SharedToken): ReusableToken =>
    withRenewal({ ...token, sentAt: clock.monotonic() + left - token.lifetimeMs });

  const mintAndKeep = async (wanted: Wanted, priority: MintPriority, spentMs: number): Promise<Obtained> => {
    const { key, apiKey, grant } = wanted;
    const { token, sentAt, lifetimeMs } = await mint(grant, priority, spentMs);
    const { notAfterMs } = grant;
    const minted = withRenewal({ token, sentAt, lifetimeMs, notAfterMs });
    // A key that was swapped meanwhile may have minted this one: it is good for its caller, but under no known key.
    if (apiKeys.get(grant.apiKeyName)?.identity() === apiKey.identity()) {
      keep(key, minted);
      void shared?.put(key, apiKey, { token, lifetimeMs, remainingMs: remainingMs(minted, clock), notAfterMs });
    }
    return { token: minted, source: 'minted' };
  };

  interface Found {
    readonly token: ReusableToken;
    readonly usability: Usability;
  }

  const take = (stored: SharedToken | undefined, grant: Grant): Found | undefined => {
    const token = stored === undefined ? undefined : adopt(stored);
    return token && { token, usability: usabilityOf(token, grant, minimumShare, clock) };
  };

  /** Asks the other replicas' store with all patience; for when there would be a long wait or an error otherwise. */
  const askAnyway = async ({ key, apiKey, grant }: Wanted): Promise<Found | undefined> => {
    const found = take(await shared?.getAnyway(key, apiKey), grant);
    if (found === undefined || found.usability === 'unusable') return undefined;
    keep(key, found.token);
    return found;
  };

  /** Mints for somebody who has no token while the store is not known to be empty: both are asked at once. */
  const mintOrFind = async (wanted: Wanted, spentMs: number): Promise<Obtained> => {
    const minting = mintAndKeep(wanted, 'user', spentMs);
    const finding = askAnyway(wanted);
    const foundInPatience = finding.then(async (found): Promise<Obtained> => {
      if (found === undefined) return minting;
      if (found.usability === 'fresh') return { token: found.token, source: 'shared' };
      await pause(patienceMs);
      return { token: found.token, source: 'spare' };
    });
    try {
      return await Promise.race([minting, foundInPatience]);
    } catch (error) {
      const found = isOutage(error) ? await finding : undefined;
      if (found === undefined) throw error;
      return { token: found.token, source: 'spare' };
    }
  };

  /** Mints for somebody who has no token, as far as the store knows; looks once more if that fails. */
  const mintForUser = async (wanted: Wanted, spentMs: number): Promise<Obtained> => {
    try {
      return await mintAndKeep(wanted, 'user', spentMs);
    } catch (error) {
      const found = isOutage(error) ? await askAnyway(wanted) : undefined;
      if (found === undefined) throw error;
      return { token: found.token, source: 'spare' };
    }
  };

  return async (wanted, known) => {
    const { key, apiKey, grant } = wanted;
    const startedAt = clock.monotonic();
    const spentMs = (): number => clock.monotonic() - startedAt;
    const mintNow = (): Promise<Obtained> =>
      known === undefined ? mintForUser(wanted, spentMs()) : mintAndKeep(wanted, 'renewal', spentMs());
    if (shared === undefined) return mintNow();

    while (await shared.isUp()) {
      // The lock is asked for first: whoever had it before has stored its token by then.
      const [lock, stored] = await Promise.all([shared.lock(key, apiKey), shared.get(key, apiKey)]);
      try {
        const found = take(stored, grant);
        if (found !== undefined && found.token.token !== known?.token) {
          if (found.usability !== 'unusable') keep(key, found.token);
          if (found.usability === 'fresh') return { token: found.token, source: 'shared' };
          if (found.usability === 'spare' && known === undefined) return { token: found.token, source: 'found' };
        }
        if (lock === 'unavailable') break;
        if (lock !== 'held') return await mintNow();
      } finally {
        if (typeof lock === 'object') lock.release();
      }
      // Whoever holds the lock is alive, or it would have ended: another call would be no faster than theirs.
      if (spentMs() >= deadlineMs) throw new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout');
      await pause(40 + 40 * random());
    }
    return known === undefined ? mintOrFind(wanted, spentMs()) : mintNow();
  };
}
