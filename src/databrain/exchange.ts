// One HTTP exchange with the upstream: one time limit over connecting, headers and body, an answer of bounded size, no
// redirects, no compression asked for. Judges nothing but whether a whole answer came.
import { errors, type Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import type { Route } from '../egress/egress.ts';
import type { Secret } from '../secrets/secret.ts';
import { codeOf, isProtocolViolation } from './connection-loss.ts';
import { createConnections, type Connection, type ConnectionLimits } from './connections.ts';
import { createDeadlines } from './deadlines.ts';
import type { UpstreamAnswer } from './parse-response.ts';

export type LostExchange =
  /** Nothing came: nobody there, or the connection ended before the answer began. */
  | 'unreachable'
  /** The same over a connection that had carried an earlier answer: it was closed while it was idle. */
  | 'connection_stale'
  | 'timed_out'
  /** The answer began and the connection ended. */
  | 'answer_cut_off'
  /** What came does not follow HTTP/1.1. */
  | 'answer_malformed'
  | 'answer_too_large';

export type Exchange =
  | {
      readonly kind: 'answer';
      readonly answer: UpstreamAnswer;
      readonly retryAfter: string | undefined;
      /** Whether the connection had carried an earlier answer. */
      readonly overUsedConnection: boolean;
    }
  /** `errorCode` is Node's or undici's own code, such as ECONNRESET. */
  | { readonly kind: 'lost'; readonly how: LostExchange; readonly errorCode?: string | undefined }
  /** Our own end was closed before an answer came. */
  | { readonly kind: 'closed' };

export interface ExchangeRequest {
  readonly apiKey: Secret;
  readonly body: Buffer;
  /** Bounds the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Opens a connection for this call: for the attempt after a connection was lost. */
  readonly freshConnection: boolean;
}

export interface Exchanges {
  /** Never rejects and never takes longer than the time limit, whatever the upstream does. */
  readonly send: (request: ExchangeRequest) => Promise<Exchange>;
  /** An answer belonged to somebody else: connections rest for long from now on. */
  readonly distrust: () => void;
  /** Ends all connections; calls that still run come back as `closed`. */
  readonly close: () => Promise<void>;
}

interface ExchangesOptions extends ConnectionLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** How the upstream is reached. */
  readonly route: Route;
  /** The path of the upstream's address, without a slash at its end. */
  readonly basePath: string;
  readonly onSurplus: () => void;
  /** The trace that a call belongs to (W3C Trace Context), asked where the call is made. */
  readonly traceparent?: (() => string | undefined) | undefined;
}

const maxAnswerBytes = 64 * 1024;
const endpoint = '/api/v2/guest-token/create';

/** The end of an idle connection crosses a call within the time of one round trip; what ends later ends because of it. */
const crossingMs = 1000;

export function createExchanges(options: ExchangesOptions): Exchanges {
  const { clock, route } = options;
  const path = `${route.pathPrefix}${options.basePath}${endpoint}`;
  const routeHeaders = Object.entries(route.headers).flat();
  const connections = createConnections({ ...options, ...route, maxAnswerBytes });
  const deadlines = createDeadlines(clock);

  const headersFor = (apiKey: Secret, traceparent: string | undefined): string[] => [
    'authorization',
    `Bearer ${apiKey.reveal()}`,
    'content-type',
    'application/json',
    'accept',
    'application/json',
    'accept-encoding',
    'identity',
    'user-agent',
    'guest-token-proxy',
    ...(traceparent === undefined ? [] : ['traceparent', traceparent]),
    ...routeHeaders,
  ];

  const send = (request: ExchangeRequest): Promise<Exchange> =>
    new Promise((resolve) => {
      // Asked now: a connection may be given later, out of another request's step.
      const traceparent = options.traceparent?.();
      let connection: Connection | undefined;
      let isDone = false;
      let sentAt: number | undefined;
      let isReused = false;
      let hasBegun = false;
      let status = 0;
      let headers: Readonly<Record<string, string | string[] | undefined>> = {};
      let chunks: Uint8Array[] | undefined;
      let body: Uint8Array = nothing;

      const finish = (exchange: Exchange): void => {
        isDone = true;
        deadlines.remove(deadline);
        resolve(exchange);
      };

      const loss = (error: unknown): LostExchange => {
        if (error instanceof errors.ResponseExceededMaxSizeError) return 'answer_too_large';
        if (error instanceof errors.ConnectTimeoutError) return 'timed_out';
        if (isProtocolViolation(error, status >= 200)) return 'answer_malformed';
        if (hasBegun) return 'answer_cut_off';
        const hasCrossed = sentAt !== undefined && clock.monotonic() - sentAt < crossingMs;
        return isReused && hasCrossed ? 'connection_stale' : 'unreachable';
      };

      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => {
          sentAt = clock.monotonic();
          isReused = connection !== undefined && connection.answers > 0;
        },
        onResponseStarted: () => {
          hasBegun = true;
        },
        onResponseStart: (_controller, statusCode, received) => {
          status = statusCode;
          headers = received;
        },
        onResponseData: (_controller, chunk) => {
          if (body === nothing) body = chunk;
          else (chunks ??= [body]).push(chunk);
        },
        onResponseEnd: () => {
          if (isDone || connection === undefined) return;
          connections.giveBack(connection);
          // Said by the egress proxy (RFC 9110 §15.5.8), which speaks in the upstream's place where there is no tunnel.
          if (status === 407 && route.pathPrefix !== '') {
            finish({ kind: 'lost', how: 'unreachable', errorCode: 'EGRESS_PROXY_407' });
            return;
          }
          finish({
            kind: 'answer',
            answer: {
              status,
              contentEncoding: textOf(headers['content-encoding']),
              body: chunks === undefined ? body : Buffer.concat(chunks),
            },
            retryAfter: textOf(headers['retry-after']),
            overUsedConnection: isReused,
          });
        },
        onResponseError: (_controller, error) => {
          if (isDone) return;
          if (connection !== undefined) connections.discard(connection);
          if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError) {
            finish({ kind: 'closed' });
            return;
          }
          const how = loss(error);
          // What is no answer to this call may be the end of what was sent for an earlier one.
          if (how === 'answer_malformed' && isReused) connections.distrust();
          finish({ kind: 'lost', how, errorCode: codeOf(error) });
        },
      };

      const use = (given: Connection | undefined): void => {
        connection = given;
        if (given === undefined) finish({ kind: 'closed' });
        else
          given.client.dispatch(
            { method: 'POST', path, headers: headersFor(request.apiKey, traceparent), body: request.body },
            handler,
          );
      };

      const deadline = deadlines.set(request.timeoutMs, () => {
        finish({ kind: 'lost', how: 'timed_out' });
        if (connection === undefined) connections.withdraw(use);
        else connections.discard(connection);
      });
      connections.take(request.freshConnection, use);
    });

  return {
    send,
    distrust: connections.distrust,
    close: async () => {
      deadlines.close();
      await connections.close();
    },
  };
}

const nothing = new Uint8Array(0);

/** A header that comes more than once is junk. */
const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;
