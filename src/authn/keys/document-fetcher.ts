// Fetches one JSON document from an issuer: no redirects, no compression, a size limit, and one deadline for
// connecting, headers and body.
import { readBody, type Egress } from '../../egress/egress.ts';
import { printable } from '../../printable.ts';
import { parseJsonObject, type JsonObject } from '../../strict-json.ts';
import {
  addressOf,
  explainNetworkError,
  failedFetch,
  type FailedFetch,
  type KeySetFailure,
  type KeySetFailureFacts,
} from './key-set-failure.ts';

export interface FetchedDocument {
  readonly document: JsonObject;
  /** Cache-Control minus Age (RFC 9111 §5.2.2); 0 for `no-store` and `no-cache`; undefined without max-age. */
  readonly maxAgeMs?: number | undefined;
}

export interface DocumentFetcher {
  /** `signal` is the deadline. */
  readonly fetch: (url: string, signal: AbortSignal) => Promise<FetchedDocument | FailedFetch>;
  readonly close: () => Promise<void>;
}

const only = (value: string | string[] | undefined): string => (Array.isArray(value) ? value.join(',') : (value ?? ''));

/** The remaining freshness lifetime (RFC 9111 §4.2.1). */
export function maxAgeMs(cacheControl: string, age: string): number | undefined {
  const directives = cacheControl
    .toLowerCase()
    .split(',', 32)
    .map((directive) => directive.trim());
  if (directives.includes('no-store') || directives.includes('no-cache')) return 0;
  const seconds = directives.map((directive) => /^max-age="?(\d{1,10})"?$/.exec(directive)?.[1]).find(Boolean);
  if (seconds === undefined) return undefined;
  const elapsed = /^\d{1,10}$/.test(age) ? Number(age) : 0;
  return Math.max(0, Number(seconds) - elapsed) * 1000;
}

const byteOrderMark = Buffer.from('\uFEFF');

/** RFC 8259 §8.1 allows a parser to ignore a byte order mark. Some web servers send one. */
const withoutByteOrderMark = (bytes: Buffer): Buffer =>
  bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? bytes.subarray(byteOrderMark.length) : bytes;

const requestHeaders = {
  accept: 'application/json, application/jwk-set+json',
  'accept-encoding': 'identity',
  'user-agent': 'guest-token-proxy',
};

interface DocumentFetcherOptions {
  readonly createAgent: Egress['createAgent'];
  /** Time limit for connecting: with the signal only, the attempt would continue. */
  readonly connectTimeoutMs: number;
  readonly maxBytes: number;
}

export function createDocumentFetcher(options: DocumentFetcherOptions): DocumentFetcher {
  // Connections need no limit: each issuer fetches one document at a time.
  const agent = options.createAgent({ connectTimeoutMs: options.connectTimeoutMs });

  async function attempt(address: string, signal: AbortSignal): Promise<FetchedDocument | FailedFetch> {
    const url = addressOf(address);
    const { origin, pathname, search } = new URL(address);
    const { statusCode, headers, body } = await agent.request({
      origin,
      path: pathname + search,
      method: 'GET',
      signal,
      headers: requestHeaders,
    });
    // Without this listener, a body that fails later would end the process.
    body.on('error', () => undefined);
    const failed = (failure: KeySetFailure, detail: KeySetFailureFacts = {}): FailedFetch => {
      body.destroy();
      return failedFetch(failure, { url, httpStatus: statusCode, ...detail });
    };
    if (statusCode >= 300 && statusCode < 400) {
      const location = only(headers['location']);
      return failed('redirect', {
        location: location === '' ? undefined : addressOf(location),
      });
    }
    if (statusCode !== 200) return failed('status');
    const encoding = only(headers['content-encoding']);
    if (encoding !== '' && encoding !== 'identity') return failed('encoded', { received: printable(encoding) });
    const bytes = await readBody(body, options.maxBytes);
    if (bytes === undefined) {
      return failedFetch('too_large', { url, problem: `is larger than ${options.maxBytes} bytes` });
    }
    const lifetime = maxAgeMs(only(headers['cache-control']), only(headers['age']));
    let document: JsonObject;
    try {
      document = parseJsonObject(withoutByteOrderMark(bytes));
    } catch (error) {
      return failedFetch('not_json', { url, problem: error instanceof SyntaxError ? error.message : undefined });
    }
    return { document, maxAgeMs: lifetime };
  }

  return {
    fetch: async (url, signal) => {
      try {
        return await attempt(url, signal);
      } catch (error) {
        if (signal.aborted) return failedFetch('timeout', { url: addressOf(url) });
        return failedFetch('unreachable', { url: addressOf(url), ...explainNetworkError(error) });
      }
    },
    close: () => agent.destroy(),
  };
}
