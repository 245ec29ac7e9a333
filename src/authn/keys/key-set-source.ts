// Fetches an issuer's keys: its metadata if needed (OpenID Connect Discovery §4), then the JWK set.
import { printable } from '../../printable.ts';
import { LoadProblem } from '../../problem.ts';
import { own, type JsonObject } from '../../strict-json.ts';
import type { IssuerConfig } from '../issuer.ts';
import { loadJwkSet, type JwkSet } from './jwk-set.ts';
import { addressOf, failedFetch, isFailedFetch, type FailedFetch } from './key-set-failure.ts';
import type { DocumentFetcher } from './document-fetcher.ts';
import { isOnThisMachine, trustedUrl } from '../../trusted-url.ts';

export interface FetchedKeySet extends JwkSet {
  readonly maxAgeMs?: number | undefined;
}

/** Fetches the keys. A failed fetch changes nothing. */
export type FetchKeySet = (signal: AbortSignal) => Promise<FetchedKeySet | FailedFetch>;

function usableKeys(document: JsonObject, issuer: IssuerConfig, url: string): JwkSet | FailedFetch {
  let set: JwkSet;
  try {
    set = loadJwkSet(document, issuer.algorithms);
  } catch (error) {
    if (error instanceof LoadProblem) return failedFetch('set_refused', { url, problem: error.message });
    throw error;
  }
  return set.keys.length === 0 ? failedFetch('no_usable_key', { url, leftOut: set.leftOut }) : set;
}

async function fetchKeys(
  issuer: IssuerConfig,
  url: string,
  fetcher: DocumentFetcher,
  signal: AbortSignal,
): Promise<FetchedKeySet | FailedFetch> {
  const fetched = await fetcher.fetch(url, signal);
  if (isFailedFetch(fetched)) return fetched;
  const set = usableKeys(fetched.document, issuer, addressOf(url));
  return isFailedFetch(set) ? set : { ...set, maxAgeMs: fetched.maxAgeMs };
}

/** The address of the key set in the issuer's metadata; a failure if the metadata is another issuer's. */
export function jwksUriOf(document: JsonObject, issuer: IssuerConfig, metadataUrl: string): string | FailedFetch {
  const url = addressOf(metadataUrl);
  // RFC 8414 §3.3: without this check, the server of the document could speak for another issuer.
  const named = own(document, 'issuer');
  if (named !== issuer.iss) {
    return failedFetch('issuer_mismatch', { url, received: printable(named), expected: issuer.iss });
  }
  const uri = own(document, 'jwks_uri');
  const keysUrl = typeof uri === 'string' ? trustedUrl(uri, issuer.allowHttp) : undefined;
  const failed = (problem: string): FailedFetch =>
    failedFetch('address_refused', { url, received: addressOf(printable(uri)), problem });
  if (keysUrl === undefined) return failed('jwks_uri is not an https address');
  // A remote issuer must not make this service connect to its own machine.
  if (isOnThisMachine(keysUrl) && !isOnThisMachine(new URL(metadataUrl))) {
    return failed('jwks_uri is a loopback address, but the issuer is not');
  }
  return keysUrl.href;
}

/** For an issuer with a JWKS address. */
export const fromJwksUrl =
  (issuer: IssuerConfig, url: string, fetcher: DocumentFetcher): FetchKeySet =>
  (signal) =>
    fetchKeys(issuer, url, fetcher, signal);

/** During an outage, the last metadata is used for a sixth of its normal lifetime before the next attempt. */
const partAfterOutage = 6;

/**
 * For an issuer with discovery. The address of the key set is kept for `rediscoverMs`, or until a fetch from it fails,
 * so that an unknown `kid` costs one request, not two. If only the metadata cannot be fetched within
 * `metadataTimeoutMs`, the keys are fetched from the last known address, so that a withdrawn key does not stay active.
 */
export function fromDiscovery(
  issuer: IssuerConfig,
  metadataUrl: string,
  fetcher: DocumentFetcher,
  options: { rediscoverMs: number; metadataTimeoutMs: number; monotonic: () => number },
): FetchKeySet {
  const { rediscoverMs, metadataTimeoutMs, monotonic } = options;
  let uri: string | undefined;
  /** By the monotonic clock. */
  let rediscoverAt = 0;

  /** The address in the metadata; during an outage the last known one. */
  const discover = async (signal: AbortSignal): Promise<string | FailedFetch> => {
    // With a known address, leave time to fetch the keys from it.
    const deadline = uri === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(metadataTimeoutMs)]);
    const fetched = await fetcher.fetch(metadataUrl, deadline);
    if (!isFailedFetch(fetched)) {
      rediscoverAt = monotonic() + rediscoverMs;
      return jwksUriOf(fetched.document, issuer, metadataUrl);
    }
    if (uri === undefined) return fetched;
    rediscoverAt = monotonic() + rediscoverMs / partAfterOutage;
    return uri;
  };

  return async (signal) => {
    if (uri === undefined || monotonic() >= rediscoverAt) {
      const found = await discover(signal);
      if (typeof found !== 'string') {
        uri = undefined;
        return found;
      }
      uri = found;
    }
    const fetched = await fetchKeys(issuer, uri, fetcher, signal);
    if (isFailedFetch(fetched)) rediscoverAt = 0;
    return fetched;
  };
}
