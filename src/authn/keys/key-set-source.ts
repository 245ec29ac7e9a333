// Fetches an issuer's keys: its metadata if needed (OpenID Connect Discovery §4), then the JWK set.
import { printable } from '../../printable.ts';
import { LoadProblem } from '../../problem.ts';
import { own, type JsonObject } from '../../strict-json.ts';
import type { IssuerConfig } from '../issuer.ts';
import { loadJwkSet, type JwkSet } from './jwk-set.ts';
import { addressOf, KeySetError, type KeySetFailure } from './key-set-error.ts';
import type { DocumentFetcher } from './key-set-fetch.ts';
import { isOnThisMachine, trustedUrl } from './trusted-url.ts';

export interface FetchedKeySet extends JwkSet {
  readonly maxAgeMs?: number | undefined;
}

/** Fetches the keys. Throws KeySetError and then changes nothing. */
export type FetchKeySet = (signal: AbortSignal) => Promise<FetchedKeySet>;

function usableKeys(document: JsonObject, issuer: IssuerConfig, url: string): JwkSet {
  let set: JwkSet;
  try {
    set = loadJwkSet(document, issuer.algorithms);
  } catch (error) {
    if (error instanceof LoadProblem) throw new KeySetError('set_refused', { url, problem: error.message });
    throw error;
  }
  if (set.keys.length === 0) throw new KeySetError('no_usable_key', { url, leftOut: set.leftOut });
  return set;
}

async function fetchKeys(
  issuer: IssuerConfig,
  url: string,
  fetcher: DocumentFetcher,
  signal: AbortSignal,
): Promise<FetchedKeySet> {
  const { document, maxAgeMs } = await fetcher.fetch(url, signal);
  return { ...usableKeys(document, issuer, addressOf(url)), maxAgeMs };
}

/** The address of the key set in the issuer's metadata. Throws KeySetError if the metadata is another issuer's. */
export function jwksUriOf(document: JsonObject, issuer: IssuerConfig, metadataUrl: string): string {
  const url = addressOf(metadataUrl);
  // RFC 8414 §3.3: without this check, the server of the document could speak for another issuer.
  const named = own(document, 'issuer');
  if (named !== issuer.iss) {
    throw new KeySetError('issuer_mismatch', { url, received: printable(named), expected: issuer.iss });
  }
  const uri = own(document, 'jwks_uri');
  const keysUrl = typeof uri === 'string' ? trustedUrl(uri, issuer.allowHttp) : undefined;
  const refuse = (problem: string): never => {
    throw new KeySetError('address_refused', { url, received: addressOf(printable(uri)), problem });
  };
  if (keysUrl === undefined) return refuse('jwks_uri is not an https address');
  // A remote issuer must not make this service connect to its own machine.
  if (isOnThisMachine(keysUrl) && !isOnThisMachine(new URL(metadataUrl))) {
    return refuse('jwks_uri is a loopback address, but the issuer is not');
  }
  return keysUrl.href;
}

/** For an issuer with a JWKS address. */
export const fromJwksUrl =
  (issuer: IssuerConfig, url: string, fetcher: DocumentFetcher): FetchKeySet =>
  (signal) =>
    fetchKeys(issuer, url, fetcher, signal);

/** Failures caused by the content of the metadata. All others are an outage. */
const contentFailures: ReadonlySet<KeySetFailure> = new Set(['issuer_mismatch', 'address_refused']);
/** During an outage, the last metadata is used for a sixth of its normal lifetime before the next attempt. */
const partAfterOutage = 6;

/**
 * For an issuer with discovery. The address of the key set is kept for `rediscoverMs`, or until a fetch from it fails,
 * so that an unknown `kid` costs one request, not two. If only the metadata cannot be fetched within `patienceMs`, the
 * keys are fetched from the last known address, so that a withdrawn key does not stay active.
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
      // With a known address, leave time to fetch the keys from it.
      const deadline = uri === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      const { document } = await fetcher.fetch(metadataUrl, deadline);
      askAgainAt = monotonic() + rediscoverMs;
      return jwksUriOf(document, issuer, metadataUrl);
    } catch (error) {
      const isOutage = error instanceof KeySetError && !contentFailures.has(error.failure);
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
      return await fetchKeys(issuer, uri, fetcher, signal);
    } catch (error) {
      askAgainAt = 0;
      throw error;
    }
  };
}
