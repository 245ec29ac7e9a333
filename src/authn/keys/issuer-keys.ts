// The keys of one issuer, configured or fetched, behind one interface.
import type { Clock } from '../../clock.ts';
import { loadKeyText, type IssuerConfig } from '../issuer.ts';
import {
  createKeyRing,
  type ActiveKey,
  type KeyRing,
  type VerifyToken,
  type VerificationKey,
} from './verification-keys.ts';
import type { DocumentFetcher } from './document-fetcher.ts';
import {
  createFetchedKeys,
  type FetchedKeys,
  type KeySetEvents,
  type KeySetAge,
  type KeySetTimings,
} from './fetched-keys.ts';
import { fromDiscovery, fromJwksUrl } from './key-set-source.ts';

/** Creates one verifier per key, in the same order. http/jwt.ts implements it with @fastify/jwt. */
export type PrepareVerifiers = (
  issuer: IssuerConfig,
  keys: readonly VerificationKey[],
) => Promise<readonly VerifyToken[]>;

export interface IssuerKeys extends Omit<FetchedKeys, 'isWithdrawn' | 'lookUp' | 'age'> {
  /** Only for fetched keys. Undefined for a `kid` that a new fetch cannot bring. */
  readonly lookUpOf?: (kid: string) => FetchedKeys['lookUp'] | undefined;
  /** Only for fetched keys. */
  readonly age: () => KeySetAge | undefined;
  /**
   * Only for configured keys: applies the keys of a changed text. `accept` is called right before the change. Rejects
   * with LoadProblem, or with what `accept` throws; the old keys then stay active.
   */
  readonly replace?: (text: string, accept: (next: readonly VerificationKey[]) => void) => Promise<void>;
}

type PrepareKeys = (keys: readonly VerificationKey[]) => Promise<readonly ActiveKey[]>;

async function configuredKeys(
  initial: readonly VerificationKey[],
  load: (text: string) => readonly VerificationKey[],
  prepare: PrepareKeys,
): Promise<IssuerKeys> {
  let ring: KeyRing = createKeyRing(await prepare(initial));
  return {
    ring: () => ring,
    settled: async () => undefined,
    nextFetchSeconds: () => 1,
    start: () => undefined,
    close: () => undefined,
    age: () => undefined,
    replace: async (text, accept) => {
      const next = load(text);
      const prepared = await prepare(next);
      accept(next);
      ring = createKeyRing(prepared);
    },
  };
}

interface IssuerKeysOptions {
  readonly prepareVerifiers: PrepareVerifiers;
  readonly fetcher: DocumentFetcher;
  readonly clock: Clock;
  readonly timings: KeySetTimings;
  readonly events: KeySetEvents;
}

export async function createIssuerKeys(issuer: IssuerConfig, options: IssuerKeysOptions): Promise<IssuerKeys> {
  const { keys } = issuer;
  const { prepareVerifiers, fetcher, clock, timings, events } = options;
  const prepare: PrepareKeys = async (some) => {
    const verifiers = await prepareVerifiers(issuer, some);
    return some.flatMap((key, index) => {
      const verify = verifiers[index];
      return verify === undefined ? [] : [Object.freeze({ ...key, verify })];
    });
  };
  if ('configured' in keys) {
    return configuredKeys(keys.configured, (text) => loadKeyText(keys, text, issuer.algorithms), prepare);
  }

  const fetch =
    keys.kind === 'jwksUrl'
      ? fromJwksUrl(issuer, keys.url, fetcher)
      : fromDiscovery(issuer, keys.url, fetcher, {
          rediscoverMs: timings.maxRefreshMs,
          metadataTimeoutMs: timings.timeoutMs / 2,
          monotonic: clock.monotonic,
        });
  const keySet = createFetchedKeys({ iss: issuer.iss, fetch, prepare, clock, timings, events });
  return {
    ...keySet,
    // Without any keys, the next scheduled fetch comes first.
    lookUpOf: (kid) => (keySet.ring()?.hasKid(kid) === false && !keySet.isWithdrawn(kid) ? keySet.lookUp : undefined),
  };
}
