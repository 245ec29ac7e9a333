// An issuer's keys as authentication sees them, whether they are configured or fetched.
import type { Clock } from '../../clock.ts';
import { loadKeyText, type IssuerConfig } from '../issuer.ts';
import type { KeyRing } from './key-ring.ts';
import type { DocumentFetcher } from './key-set-fetch.ts';
import { createKeySet, type KeySetEvents, type KeySetState, type KeySetTimings } from './key-set.ts';
import { fromDiscovery, fromJwksUrl } from './key-set-source.ts';

export interface IssuerKeys {
  /** Undefined: no keys are at hand, so nothing can be verified. */
  readonly ring: () => KeyRing | undefined;
  readonly settled: () => Promise<void>;
  readonly refreshForUnknownKey: () => Promise<void>;
  /** Throws KeyRefused, or what `accept` throws, and keeps the old keys; throws too when the keys are not from a text. */
  readonly replace: (text: string, accept: (next: KeyRing) => void) => void;
  readonly start: () => void;
  readonly close: () => void;
  /** Only of fetched keys. */
  readonly state: () => KeySetState | undefined;
}

function configuredKeys(issuer: IssuerConfig, kind: 'secret' | 'publicKey', initial: KeyRing): IssuerKeys {
  let ring = initial;
  return {
    ring: () => ring,
    settled: async () => undefined,
    refreshForUnknownKey: async () => undefined,
    replace: (text, accept) => {
      const next = loadKeyText(kind, text, issuer.algorithms);
      accept(next);
      ring = next;
    },
    start: () => undefined,
    close: () => undefined,
    state: () => undefined,
  };
}

interface IssuerKeysOptions {
  readonly fetcher: DocumentFetcher;
  readonly clock: Clock;
  readonly timings: KeySetTimings;
  readonly events: KeySetEvents;
}

export function createIssuerKeys(issuer: IssuerConfig, options: IssuerKeysOptions): IssuerKeys {
  const { keys } = issuer;
  if ('ring' in keys) return configuredKeys(issuer, keys.kind, keys.ring);
  const { fetcher, clock, timings, events } = options;
  const fetch =
    keys.kind === 'jwksUrl'
      ? fromJwksUrl(issuer, keys.url, fetcher)
      : fromDiscovery(issuer, keys.url, fetcher, {
          rediscoverMs: timings.maxRefreshMs,
          patienceMs: timings.timeoutMs / 2,
          monotonic: clock.monotonic,
        });
  return {
    ...createKeySet({ iss: issuer.iss, fetch, clock, timings, events }),
    replace: () => {
      throw new Error('the keys of this issuer are fetched, not configured');
    },
  };
}
