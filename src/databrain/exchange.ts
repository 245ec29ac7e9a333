// One HTTP exchange with the upstream: one time limit over connecting, headers and body, an answer of bounded size, no
// redirects, no compression asked for. Judges nothing but whether a whole answer came.
import { errors, type Dispatcher } from 'undici';
import type { Secret } from '../secrets/secret.ts';
import { createConnections } from './connections.ts';
import type { UpstreamAnswer } from './parse-response.ts';

export type Exchange =
  | { readonly kind: 'answer'; readonly answer: UpstreamAnswer; readonly retryAfter: string | undefined }
  | {
      readonly kind: 'lost';
      readonly how: 'timed_out' | 'answer_too_large' | 'unusable_answer' | 'unreachable' | 'connection_stale';
      /** Node's or undici's own code, such as ECONNRESET. */
      readonly errorCode?: string;
    }
  /** Our own end was closed before an answer came. */
  | { readonly kind: 'closed' };

export interface ExchangeRequest {
  readonly apiKey: Secret;
  readonly body: Buffer;
  /** Bounds the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Opens a connection for this call alone: for the attempt after a connection was lost. */
  readonly ownConnection: boolean;
}

export interface Exchanges {
  /** Never rejects and never takes longer than the time limit, whatever the upstream does. */
  readonly send: (request: ExchangeRequest) => Promise<Exchange>;
  /** Ends all connections; calls that still run come back as `closed`. */
  readonly close: () => Promise<void>;
}

interface ExchangesOptions {
  /** The upstream's address, which may carry a path prefix. */
  readonly baseUrl: string;
  readonly kept: number;
  readonly restMs: number;
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
}

const maxAnswerBytes = 64 * 1024;
const endpoint = '/api/v2/guest-token/create';

export function createExchanges(options: ExchangesOptions): Exchanges {
  const base = new URL(options.baseUrl);
  const path = `${base.pathname.replace(/\/+$/, '')}${endpoint}`;
  const connections = createConnections({ ...options, origin: base.origin, maxAnswerBytes });

  const exchange = async (request: ExchangeRequest, connection: Dispatcher, signal: AbortSignal): Promise<Exchange> => {
    let response: Dispatcher.ResponseData | undefined;
    try {
      response = await connection.request({
        method: 'POST',
        path,
        headers: {
          authorization: `Bearer ${request.apiKey.reveal()}`,
          'content-type': 'application/json',
          accept: 'application/json',
          'user-agent': 'guest-token-proxy',
        },
        body: request.body,
        signal,
      });
      // A body that fails while nobody listens ends the process.
      response.body.on('error', ignore);
      const body = await response.body.bytes();
      const { statusCode: status, headers } = response;
      return {
        kind: 'answer',
        answer: { status, contentEncoding: textOf(headers['content-encoding']), body },
        retryAfter: textOf(headers['retry-after']),
      };
    } catch (error) {
      return lost(error, response === undefined && connections.hadAnswered(error));
    }
  };

  return {
    close: connections.close,
    send: async (request) => {
      const controller = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      // An aborted request that still waits for its connection settles only once that is made: do not wait for it.
      const timeUp = new Promise<Exchange>((resolve) => {
        timer = setTimeout(() => {
          resolve({ kind: 'lost', how: 'timed_out' });
          controller.abort();
        }, request.timeoutMs);
      });
      const done = connections.use(request.ownConnection, (connection) =>
        exchange(request, connection, controller.signal),
      );
      try {
        return await Promise.race([done, timeUp]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function lost(error: unknown, wasKept: boolean): Exchange {
  const errorCode = codeOf(error);
  const named = errorCode === undefined ? {} : { errorCode };
  if (error instanceof errors.ResponseExceededMaxSizeError) return { kind: 'lost', how: 'answer_too_large', ...named };
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError)
    return { kind: 'closed' };
  if (error instanceof errors.ConnectTimeoutError) return { kind: 'lost', how: 'timed_out', ...named };
  // The parser's word for an answer that was cut off; it has no code for it.
  const cutOff = error instanceof errors.HTTPParserError && error.message.includes('Invalid EOF state');
  if (!cutOff && (error instanceof errors.HeadersOverflowError || error instanceof errors.HTTPParserError))
    return { kind: 'lost', how: 'unusable_answer', ...named };
  return { kind: 'lost', how: wasKept ? 'connection_stale' : 'unreachable', ...named };
}

/** The error's code and nothing else of it: messages of TLS and DNS errors quote what the other side sent. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,59}$/.test(code) ? code : undefined;
}

/** A header that comes more than once is junk. */
const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;

const ignore = (): void => undefined;
