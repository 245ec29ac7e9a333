// From an issuer's address to its keys: discovery if need be (OpenID Connect Discovery §4), then the JWK set.
import type { Algorithm } from './algorithms.ts';
import type { IssuerConfig } from '../issuer.ts';
import { loadJwkSet, type JwkSet } from './jwk-set.ts';
import { KeySetError, type KeySetFailure } from './key-set-error.ts';
import type { DocumentFetcher, FetchedDocument } from './key-set-fetch.ts';
import { KeyRefused } from './public-key.ts';
import { own, type JsonObject } from '../../strict-json.ts';
import { isOnThisMachine, trustedUrl } from './trusted-url.ts';

export interface FetchedKeySet extends JwkSet {
  readonly maxAgeMs?: number;
}

/** Gets the keys anew. Throws KeySetError and then has changed nothing. */
export type FetchKeySet = (signal: AbortSignal) => Promise<FetchedKeySet>;

function usableKeys(document: JsonObject, wanted: readonly Algorithm[]): JwkSet {
  let set: JwkSet;
  try {
    set = loadJwkSet(document, wanted);
  } catch (error) {
    if (error instanceof KeyRefused) throw new KeySetError('set_refused');
    throw error;
  }
  if (set.keys.length === 0) throw new KeySetError('no_usable_key');
  return set;
}

/** The address of the key set in an issuer's metadata, if that issuer published it about itself. */
export function jwksUriOf(document: JsonObject, iss: string, metadataUrl: string): string {
  // RFC 8414 §3.3: without this, whoever serves the document could speak for another issuer.
  if (own(document, 'issuer') !== iss) throw new KeySetError('issuer_mismatch');
  const uri = own(document, 'jwks_uri');
  const url = typeof uri === 'string' ? trustedUrl(uri) : undefined;
  if (url === undefined) throw new KeySetError('address_refused');
  // A remote issuer has no business with ports of this machine.
  if (isOnThisMachine(url) && !isOnThisMachine(new URL(metadataUrl))) throw new KeySetError('address_refused');
  return url.href;
}

/** For an issuer with a JWKS address. */
export function fromJwksUrl(issuer: IssuerConfig, url: string, fetcher: DocumentFetcher): FetchKeySet {
  return async (signal) => toKeySet(await fetcher.fetch(url, signal), issuer.algorithms);
}

/** Failures of metadata that say something about its content; all others are an outage. */
const lies: ReadonlySet<KeySetFailure> = new Set(['issuer_mismatch', 'address_refused']);
/** After an outage of the metadata its last answer serves for this part of its life. */
const partAfterOutage = 6;

/**
 * For an issuer that is asked where its keys are. The answer is kept until `rediscoverMs` have passed or a fetch from
 * there failed, so that an unknown `kid` costs one request, not two. While only the metadata cannot be had, the keys
 * are still fetched from where they were, after `patienceMs` at most: else a withdrawn key would stay, and a new one
 * would not come.
 */
export function fromDiscovery(
  issuer: IssuerConfig,
  metadataUrl: string,
  fetcher: DocumentFetcher,
  options: { rediscoverMs: number; patienceMs: number; monotonic: () => number },
): FetchKeySet {
  const { rediscoverMs, patienceMs, monotonic } = options;
  let uri: string | undefined;
  /** By the monotonic clock. */
  let askAgainAt = 0;

  const discover = async (signal: AbortSignal): Promise<string> => {
    try {
      // With an address to fall back on, some of the time is left for the keys.
      const deadline = uri === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      const { document } = await fetcher.fetch(metadataUrl, deadline);
      askAgainAt = monotonic() + rediscoverMs;
      return jwksUriOf(document, issuer.iss, metadataUrl);
    } catch (error) {
      const isOutage = error instanceof KeySetError && !lies.has(error.failure);
      if (!isOutage || uri === undefined) {
        uri = undefined;
        throw error;
      }
      askAgainAt = monotonic() + rediscoverMs / partAfterOutage;
      return uri;
    }
  };

  return async (signal) => {
    if (uri === undefined || monotonic() >= askAgainAt) uri = await discover(signal);
    try {
      return toKeySet(await fetcher.fetch(uri, signal), issuer.algorithms);
    } catch (error) {
      askAgainAt = 0;
      throw error;
    }
  };
}

const toKeySet = ({ document, maxAgeMs }: FetchedDocument, wanted: readonly Algorithm[]): FetchedKeySet => ({
  ...usableKeys(document, wanted),
  ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
});
