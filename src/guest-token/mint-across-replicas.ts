// A token that this process does not have yet: from another replica, if one has it or is minting it just now, else
// minted. Which of both never changes what the caller may get.
import type { Clock } from '../clock.ts';
import type { Grant } from '../policy/decision.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import type { Mint } from '../databrain/mint.ts';
import { judge, remainingMs, type ReusableToken } from './reusable-token.ts';
import type { ReuseKey } from './reuse-key.ts';
import type { SharedToken, SharedTokens } from './shared-tokens.ts';

export interface MintedAcrossReplicas {
  readonly token: ReusableToken;
  readonly source: 'minted' | 'shared';
}

interface MintAcrossReplicasOptions {
  readonly mint: Mint;
  readonly apiKeys: ApiKeys;
  readonly minimumShare: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly shared?: SharedTokens;
  /** Keeps a token for this process. */
  readonly keep: (key: ReuseKey, token: ReusableToken) => void;
}

export interface MintAcrossReplicas {
  /** A fresh token for the grant, other than `known`, which is to be replaced. Throws what `mint` throws. */
  readonly fresh: (key: ReuseKey, apiKey: Secret, grant: Grant, known?: ReusableToken) => Promise<MintedAcrossReplicas>;
  /** What other replicas have, whatever its state; for when there would be an error otherwise. Never throws. */
  readonly fromOthersAnyway: (key: ReuseKey, apiKey: Secret) => Promise<ReusableToken | undefined>;
}

/** How long to wait for another replica that mints, before minting as well. */
const longestWaitMs = 1_500;

export function createMintAcrossReplicas(options: MintAcrossReplicasOptions): MintAcrossReplicas {
  const { mint, apiKeys, minimumShare, clock, random, pause, shared, keep } = options;

  /** Renewed when 70 to 95 % of the time is over in which it is fresh; at random, so that users do not renew together. */
  const withRenewal = (token: Omit<ReusableToken, 'renewAt'>): ReusableToken => {
    const freshForMs = token.lifetimeMs * (1 - minimumShare);
    return { ...token, renewAt: token.sentAt + freshForMs * (0.7 + 0.25 * random()) };
  };

  const adopt = ({ remainingMs: left, ...token }: SharedToken): ReusableToken =>
    withRenewal({ ...token, sentAt: clock.monotonic() + left - token.lifetimeMs });

  const fromOthersAnyway: MintAcrossReplicas['fromOthersAnyway'] = async (key, apiKey) => {
    const found = await shared?.getAnyway(key, apiKey);
    return found === undefined ? undefined : adopt(found);
  };

  const mintAndKeep = async (key: ReuseKey, apiKey: Secret, grant: Grant): Promise<ReusableToken> => {
    const { token, sentAt, lifetimeMs } = await mint(grant);
    const bound = grant.notAfterMs === undefined ? {} : { notAfterMs: grant.notAfterMs };
    const minted = withRenewal({ token, sentAt, lifetimeMs, ...bound });
    // A key that was swapped meanwhile may have minted this one: it is good for its caller, but under no known key.
    if (apiKeys.get(grant.apiKeyName)?.identity() !== apiKey.identity()) return minted;
    keep(key, minted);
    void shared?.put(key, apiKey, { token, lifetimeMs, remainingMs: remainingMs(minted, clock), ...bound });
    return minted;
  };

  const fresh: MintAcrossReplicas['fresh'] = async (key, apiKey, grant, known) => {
    const isFresh = (found: ReusableToken | undefined): found is ReusableToken =>
      found !== undefined && found.token !== known?.token && judge(found, grant, minimumShare, clock) === 'fresh';
    const waitUntil = clock.monotonic() + longestWaitMs;
    while (shared?.isUp() === true) {
      // The lock is asked for first: whoever had it before has stored its token by then.
      const [lock, stored] = await Promise.all([shared.lock(key, apiKey), shared.get(key, apiKey)]);
      const found = stored === undefined ? undefined : adopt(stored);
      const release = typeof lock === 'object' ? lock.release : () => undefined;
      try {
        if (isFresh(found)) {
          keep(key, found);
          return { token: found, source: 'shared' };
        }
        if (lock !== 'held' || clock.monotonic() >= waitUntil) {
          return { token: await mintAndKeep(key, apiKey, grant), source: 'minted' };
        }
      } finally {
        release();
      }
      await pause(40 + 40 * random());
    }
    return { token: await mintAndKeep(key, apiKey, grant), source: 'minted' };
  };

  return { fresh, fromOthersAnyway };
}
