// One HTTP exchange with the upstream: one time limit for connecting, headers and body, a response of bounded size, no
// redirects, no compression. Does not interpret the response.
import { errors, type Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import type { Route } from '../egress/egress.ts';
import type { Secret } from '../secrets/secret.ts';
import type { UpstreamResponse } from './api-messages.ts';
import { codeOf, isProtocolViolation } from './upstream-fault.ts';
import { createConnections, type Connection, type ConnectionLimits } from './connections.ts';
import { createDeadlines } from './deadlines.ts';

export type LostExchange =
  /** No response: the connection failed, or closed before the response began. */
  | 'unreachable'
  /** The same for a reused connection: it was closed while it was idle. */
  | 'connection_stale'
  | 'timed_out'
  /** The connection closed in the middle of the response. */
  | 'answer_cut_off'
  /** The response is not valid HTTP/1.1. */
  | 'answer_malformed'
  | 'answer_too_large';

export type Exchange =
  | {
      readonly kind: 'response';
      readonly response: UpstreamResponse;
      readonly retryAfter: string | undefined;
      /** Whether the connection was used before. */
      readonly overUsedConnection: boolean;
    }
  /** `errorCode` is Node's or undici's own code, such as ECONNRESET. */
  | { readonly kind: 'lost'; readonly how: LostExchange; readonly errorCode?: string | undefined }
  /** The client was closed before the response. */
  | { readonly kind: 'closed' };

export interface ExchangeRequest {
  readonly apiKey: Secret;
  readonly body: Buffer;
  /** Bounds the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Uses a new connection, for the call after a lost one. */
  readonly freshConnection: boolean;
}

export interface Exchanges {
  /** Never rejects and never takes longer than the time limit, whatever the upstream does. */
  readonly send: (request: ExchangeRequest) => Promise<Exchange>;
  /** A response belonged to another call: from now on connections rest longer. */
  readonly distrust: () => void;
  /** Closes all connections; running calls end as `closed`. */
  readonly close: () => Promise<void>;
}

interface ExchangesOptions extends ConnectionLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** How the upstream is reached. */
  readonly route: Route;
  /** The path of the upstream's address, without a trailing slash. */
  readonly basePath: string;
  readonly onUnexpectedResponse: () => void;
  /** The `traceparent` of the current trace (W3C Trace Context). */
  readonly traceparent?: (() => string | undefined) | undefined;
}

const maxResponseBytes = 64 * 1024;
const endpoint = '/api/v2/guest-token/create';

/**
 * If an idle connection closes while a call is sent, that shows within one round trip. Later ends have other causes.
 */
const crossingMs = 1000;

export function createExchanges(options: ExchangesOptions): Exchanges {
  const { clock, route } = options;
  const path = `${route.pathPrefix}${options.basePath}${endpoint}`;
  const routeHeaders = Object.entries(route.headers).flat();
  const connections = createConnections({ ...options, ...route, maxResponseBytes });
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
      // Read now: the connection may become available within another request's context.
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
          isReused = connection !== undefined && connection.responses > 0;
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
          connections.release(connection);
          // A response of the egress proxy (RFC 9110 §15.5.8), which responds itself if there is no tunnel.
          if (status === 407 && route.pathPrefix !== '') {
            finish({ kind: 'lost', how: 'unreachable', errorCode: 'EGRESS_PROXY_407' });
            return;
          }
          finish({
            kind: 'response',
            response: {
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
          // Invalid bytes may belong to the response of an earlier call.
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

/** A repeated header becomes one joined value, which no reader of these two headers accepts. */
const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;
