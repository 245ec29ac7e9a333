// Gets a token that this process does not have: from another replica that has it or is minting it, otherwise by
// minting. Both give the same rights.
import type { Clock } from '../clock.ts';
import type { Mint, MintPriority } from '../databrain/mint.ts';
import { ServiceError, type ErrorCode } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import type { LockReply } from '../redis/redis-lock.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import {
  toTokenSha256,
  remainingMs,
  usabilityOf,
  type ReusableToken,
  type Usability,
  type ReuseKey,
} from './reusable-token.ts';

/** A token stored by another replica, with its remaining lifetime. */
export interface SharedToken {
  readonly token: string;
  readonly lifetimeMs: number;
  readonly remainingMs: number;
  readonly notAfterMs?: number | undefined;
}

/**
 * A token store shared by replicas. It is optional: without it, or if it fails, tokens are reused within each process.
 * No method throws or takes longer than the store's time limit.
 */
export interface SharedTokens {
  /**
   * While the state of the store is unknown, waits for it within the short limit: the alternative is an upstream call.
   */
  readonly isUp: () => Promise<boolean>;
  readonly get: (key: ReuseKey, apiKey: Secret) => Promise<SharedToken | undefined>;
  /** The same with a longer limit, even while the store counts as down: for when the alternative is an error. */
  readonly getAnyway: (key: ReuseKey, apiKey: Secret) => Promise<SharedToken | undefined>;
  readonly put: (key: ReuseKey, apiKey: Secret, token: SharedToken) => Promise<void>;
  /** A lock for minting. It ends when released or when its holder dies. It only saves duplicate calls. */
  readonly lock: (key: ReuseKey, apiKey: Secret) => Promise<LockReply>;
}

/** A request: the grant, the API key that mints it, and the reuse key. */
export interface Wanted {
  readonly key: ReuseKey;
  readonly apiKey: Secret;
  readonly grant: Grant;
}

/**
 * - `minted`, `shared`: a new token, from the upstream or from another replica;
 * - `found`: another replica's token with less lifetime left than the settings require; nothing was minted;
 * - `spare`: the same, because minting failed or takes too long.
 */
export interface MintedOrFound {
  readonly token: ReusableToken;
  readonly source: 'minted' | 'shared' | 'found' | 'spare';
}

export interface MintAcrossReplicasOptions {
  readonly mint: Mint;
  readonly apiKeys: ApiKeys;
  readonly minimumShare: number;
  /** Time limit for waiting for another replica and minting together, in milliseconds. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly shared?: SharedTokens | undefined;
  /** Stores a token in this process. */
  readonly keep: (key: ReuseKey, token: ReusableToken) => void;
}

/** With `known`: renews that token at low priority. Throws what `mint` throws. */
export type MintAcrossReplicas = (wanted: Wanted, known?: ReusableToken) => Promise<MintedOrFound>;

/** How long a caller with a spare token waits for a new one. */
export const spareWaitMs = 1_500;

/**
 * Faults for which a spare token is issued. Not if the upstream refuses the request, which means the rights are wrong.
 */
const outages: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_INVALID_RESPONSE',
]);

export const isOutage = (error: unknown): error is ServiceError =>
  error instanceof ServiceError && outages.has(error.code);

export function createMintAcrossReplicas(options: MintAcrossReplicasOptions): MintAcrossReplicas {
  const { mint, apiKeys, minimumShare, deadlineMs, clock, random, pause, shared, keep } = options;

  /**
   * Renews after 70 to 95 % of the time in which the token is fresh; at random, so that users do not renew together.
   */
  const withRenewal = (token: Omit<ReusableToken, 'renewAt' | 'tokenSha256'>): ReusableToken => {
    const freshForMs = token.lifetimeMs * (1 - minimumShare);
    const renewAt = token.sentAt + freshForMs * (0.7 + 0.25 * random());
    return { ...token, tokenSha256: toTokenSha256(token.token), renewAt };
  };

  const adopt = ({ remainingMs: left, ...token }: SharedToken): ReusableToken =>
    withRenewal({ ...token, sentAt: clock.monotonic() + left - token.lifetimeMs });

  const mintAndKeep = async (wanted: Wanted, priority: MintPriority, spentMs: number): Promise<MintedOrFound> => {
    const { key, apiKey, grant } = wanted;
    const { token, sentAt, lifetimeMs } = await mint(grant, priority, spentMs);
    const { notAfterMs } = grant;
    const minted = withRenewal({ token, sentAt, lifetimeMs, notAfterMs });
    // The API key may have been rotated meanwhile. The token is valid for its caller, but is not stored for reuse.
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

  const assess = (stored: SharedToken | undefined, grant: Grant): Found | undefined => {
    const token = stored === undefined ? undefined : adopt(stored);
    return token && { token, usability: usabilityOf(token, grant, minimumShare, clock) };
  };

  /** Reads the shared store with the long time limit, if the alternative is a long wait or an error. */
  const readAnyway = async ({ key, apiKey, grant }: Wanted): Promise<Found | undefined> => {
    const found = assess(await shared?.getAnyway(key, apiKey), grant);
    if (found === undefined || found.usability === 'unusable') return undefined;
    keep(key, found.token);
    return found;
  };

  /** Mints for a user without a token and reads the store at the same time. */
  const mintOrFind = async (wanted: Wanted, spentMs: number): Promise<MintedOrFound> => {
    const minting = mintAndKeep(wanted, 'user', spentMs);
    const finding = readAnyway(wanted);
    const foundOrSpare = finding.then(async (found): Promise<MintedOrFound> => {
      if (found === undefined) return minting;
      if (found.usability === 'fresh') return { token: found.token, source: 'shared' };
      await pause(spareWaitMs);
      return { token: found.token, source: 'spare' };
    });
    try {
      return await Promise.race([minting, foundOrSpare]);
    } catch (error) {
      const found = isOutage(error) ? await finding : undefined;
      if (found === undefined) throw error;
      return { token: found.token, source: 'spare' };
    }
  };

  /** Mints for a user who has no token in the store. Reads the store again if that fails. */
  const mintForUser = async (wanted: Wanted, spentMs: number): Promise<MintedOrFound> => {
    try {
      return await mintAndKeep(wanted, 'user', spentMs);
    } catch (error) {
      const found = isOutage(error) ? await readAnyway(wanted) : undefined;
      if (found === undefined) throw error;
      return { token: found.token, source: 'spare' };
    }
  };

  return async (wanted, known) => {
    const { key, apiKey, grant } = wanted;
    const startedAt = clock.monotonic();
    const spentMs = (): number => clock.monotonic() - startedAt;
    const mintNow = (): Promise<MintedOrFound> =>
      known === undefined ? mintForUser(wanted, spentMs()) : mintAndKeep(wanted, 'renewal', spentMs());
    if (shared === undefined) return mintNow();

    while (await shared.isUp()) {
      // Take the lock first: its former holder has stored the token by then.
      const [lock, stored] = await Promise.all([shared.lock(key, apiKey), shared.get(key, apiKey)]);
      try {
        const found = assess(stored, grant);
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
      // The lock is held, so its holder is alive: a second call would not be faster.
      if (spentMs() >= deadlineMs) throw new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout');
      await pause(40 + 40 * random());
    }
    return known === undefined ? mintOrFind(wanted, spentMs()) : mintNow();
  };
}
