// One GET of a JSON document from an issuer, trusting nothing: no redirects, no compression, a size limit, and the
// caller's signal over connect, headers and body together.
import { Agent, request } from 'undici';
import { KeySetError, type KeySetFailure } from './key-set-error.ts';
import { parseJsonObject, type JsonObject } from '../../strict-json.ts';

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

async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the body, and the connection with it.
    if (size > maxBytes) throw new KeySetError('too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `connectTimeoutMs` ends the attempt to connect, which the signal alone would leave running behind. */
export function createDocumentFetcher(options: { connectTimeoutMs: number; maxBytes: number }): DocumentFetcher {
  // No bound on connections: issuers fetch one document at a time each, and of several on one host none waits for others.
  const agent = new Agent({ connect: { timeout: options.connectTimeoutMs }, keepAliveTimeout: 4_000 });

  async function attempt(url: string, signal: AbortSignal): Promise<FetchedDocument> {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: agent,
      signal,
      headers: { accept: 'application/json, application/jwk-set+json', 'user-agent': 'guest-token-proxy' },
    });
    // A body that fails after we stopped listening would otherwise end the process.
    body.on('error', () => undefined);
    const refuse = (failure: KeySetFailure): never => {
      body.destroy();
      throw new KeySetError(failure);
    };
    if (statusCode >= 300 && statusCode < 400) return refuse('redirect');
    if (statusCode !== 200) return refuse('status');
    if (only(headers['content-encoding']) !== '') return refuse('encoded');
    const bytes = await readBody(body, options.maxBytes);
    const lifetime = maxAgeMs(only(headers['cache-control']), only(headers['age']));
    let document: JsonObject;
    try {
      document = parseJsonObject(bytes);
    } catch {
      throw new KeySetError('not_json');
    }
    return { document, ...(lifetime === undefined ? {} : { maxAgeMs: lifetime }) };
  }

  return {
    fetch: async (url, signal) => {
      try {
        return await attempt(url, signal);
      } catch (error) {
        if (error instanceof KeySetError) throw error;
        throw new KeySetError(signal.aborted ? 'timeout' : 'unreachable');
      }
    },
    close: () => agent.destroy(),
  };
}
