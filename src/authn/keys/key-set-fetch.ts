// One GET of a JSON document from an issuer, trusting nothing: no redirects, no compression, a size limit, and the
// caller's signal over connect, headers and body together.
import { request } from 'undici';
import type { Egress } from '../../egress/egress.ts';
import { printable } from '../../printable.ts';
import { parseJsonObject, type JsonObject } from '../../strict-json.ts';
import {
  addressOf,
  explainNetworkError,
  KeySetError,
  type KeySetFailure,
  type KeySetFailureFacts,
} from './key-set-error.ts';

export interface FetchedDocument {
  readonly document: JsonObject;
  /** From Cache-Control less Age (RFC 9111 §5.2.2); 0 for `no-store` and `no-cache`; undefined if nothing is said. */
  readonly maxAgeMs?: number;
}

export interface DocumentFetcher {
  /** Throws KeySetError. `signal` is the deadline. */
  readonly fetch: (url: string, signal: AbortSignal) => Promise<FetchedDocument>;
  readonly close: () => Promise<void>;
}

const only = (value: string | string[] | undefined): string => (Array.isArray(value) ? value.join(',') : (value ?? ''));

/** RFC 9111 §4.2.1; the largest number that is still exact is long enough for every caller. */
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

async function readBody(body: AsyncIterable<Buffer>, maxBytes: number, url: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the body, and the connection with it.
    if (size > maxBytes) throw new KeySetError('too_large', { url, problem: `is larger than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const byteOrderMark = Buffer.from('\uFEFF');

/** RFC 8259 §8.1 lets a reader ignore a byte order mark, and some web servers send one. */
const withoutByteOrderMark = (bytes: Buffer): Buffer =>
  bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? bytes.subarray(byteOrderMark.length) : bytes;

const requestHeaders = {
  accept: 'application/json, application/jwk-set+json',
  'accept-encoding': 'identity',
  'user-agent': 'guest-token-proxy',
};

interface DocumentFetcherOptions {
  readonly createAgent: Egress['createAgent'];
  /** Ends the attempt to connect, which the signal alone would leave running behind. */
  readonly connectTimeoutMs: number;
  readonly maxBytes: number;
}

export function createDocumentFetcher(options: DocumentFetcherOptions): DocumentFetcher {
  // No bound on connections: issuers fetch one document at a time each, and of several on one host none waits for others.
  const agent = options.createAgent({ connectTimeoutMs: options.connectTimeoutMs });

  async function attempt(address: string, signal: AbortSignal): Promise<FetchedDocument> {
    const url = addressOf(address);
    const { statusCode, headers, body } = await request(address, {
      dispatcher: agent,
      signal,
      headers: requestHeaders,
    });
    // A body that fails after we stopped listening would otherwise end the process.
    body.on('error', () => undefined);
    const refuse = (failure: KeySetFailure, detail: KeySetFailureFacts = {}): never => {
      body.destroy();
      throw new KeySetError(failure, { url, httpStatus: statusCode, ...detail });
    };
    if (statusCode >= 300 && statusCode < 400) {
      const location = only(headers['location']);
      return refuse('redirect', location === '' ? {} : { location: addressOf(location) });
    }
    if (statusCode !== 200) return refuse('status');
    const encoding = only(headers['content-encoding']);
    if (encoding !== '' && encoding !== 'identity') return refuse('encoded', { received: printable(encoding) });
    const bytes = await readBody(body, options.maxBytes, url);
    const lifetime = maxAgeMs(only(headers['cache-control']), only(headers['age']));
    let document: JsonObject;
    try {
      document = parseJsonObject(withoutByteOrderMark(bytes));
    } catch (error) {
      throw new KeySetError('not_json', { url, ...(error instanceof SyntaxError && { problem: error.message }) });
    }
    return { document, ...(lifetime === undefined ? {} : { maxAgeMs: lifetime }) };
  }

  return {
    fetch: async (url, signal) => {
      try {
        return await attempt(url, signal);
      } catch (error) {
        if (error instanceof KeySetError) throw error;
        if (signal.aborted) throw new KeySetError('timeout', { url: addressOf(url) });
        throw new KeySetError('unreachable', { url: addressOf(url), ...explainNetworkError(error) });
      }
    },
    close: () => agent.destroy(),
  };
}
