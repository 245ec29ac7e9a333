// A node:http server with limits on its connections: their number, unanswered requests, slow sending and unread
// responses. Requests of one connection are handled one at a time. Every socket has an error listener, because an
// unhandled error event would end the process.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import {
  createClientConnections,
  type ClientConnection,
  type ConnectionBounds,
  type ConnectionCause,
  type PendingRequest,
} from './client-connections.ts';
import { connectRefusal, refuseRaw, toRawRefusal, type RawRefusal } from './raw-refusal.ts';

export interface BoundedServerOptions {
  readonly bounds: ConnectionBounds;
  readonly clock: Clock;
  readonly keepAliveTimeoutMs: number;
  readonly addressKeyOf: (peer: string | undefined) => string | undefined;
  /** Called for every connection that was closed because of a bound. */
  readonly onConnectionClosed: (cause: ConnectionCause) => void;
  /**
   * Called for input that was refused before it was a complete request. False: send no response to this address.
   * `received` is the last piece of input for the parser.
   */
  readonly onProtocolError: (connection: ClientConnection, received: Buffer | undefined) => boolean;
  /** Further headers of such a response. */
  readonly refusalHeaders: (received: Buffer | undefined) => Readonly<Record<string, string>>;
  /** Called with the code of an error of the listening socket, which keeps listening. */
  readonly onServerError: (code: string) => void;
}

/** The limit of the parser. http/listener.ts refuses from 32 KiB on, with a regular error response. */
const parserHeaderLimitBytes = 49_152;
/**
 * A header takes some 90 bytes of memory in addition to its text, so that 1,000 connections with 900 short ones each
 * would fill a heap of 128 MB. The parser stores one more and drops the rest: http/listener.ts refuses requests that
 * have it.
 */
export const maxHeaders = 128;
const receiveTimeoutMs = 10_000;
const checkIntervalMs = 1_000;
/** The request in progress and those that may wait behind it. */
const maxUnanswered = 8;

/** Node's internal callback for each parsed request. Undocumented, so it may be absent: see below. */
interface ParsedSocket {
  readonly parser?: { onIncoming?: ((request: IncomingMessage, keepAlive: boolean) => number) | null } | null;
}

/** Makes the parser ignore the rest of its input. */
const stopParsing = -1;

/** Creates the server. `handle` is called for one request of a connection at a time. */
export function createBoundedServer(options: BoundedServerOptions, handle: RequestListener): Server {
  const { onConnectionClosed, onProtocolError, refusalHeaders } = options;
  const connections = createClientConnections({ ...options, onClosed: onConnectionClosed });

  const server = createServer({
    maxHeaderSize: parserHeaderLimitBytes,
    headersTimeout: receiveTimeoutMs,
    requestTimeout: receiveTimeoutMs,
    connectionsCheckingInterval: checkIntervalMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    requireHostHeader: false,
    // Explicit, because --insecure-http-parser in NODE_OPTIONS would change the default.
    insecureHTTPParser: false,
  });

  server.maxHeadersCount = maxHeaders + 1;

  const isFull = ({ current, waiting }: ClientConnection): boolean =>
    current !== undefined && waiting.length + 1 >= maxUnanswered;

  function begin(connection: ClientConnection, { request, response }: PendingRequest): void {
    connection.current = response;
    connection.unreadSince = undefined;
    connections.markBusy(connection);
    response.on('close', onResponseClosed);
    // After the piece of input is parsed: a connection that it overfills is closed without any work on its requests.
    queueMicrotask(() => {
      if (!request.socket.destroyed) handle(request, response);
    });
  }

  /** The response was written to the socket, or the connection is closed. */
  function onResponseClosed(this: ServerResponse): void {
    const connection = connections.of(this.req.socket);
    if (connection === undefined) return;
    connection.current = undefined;
    // After a response with `Connection: close` no more can be sent: don't start waiting requests.
    const next = connection.socket.writable ? connection.waiting.shift() : undefined;
    if (next !== undefined) begin(connection, next);
    else if (connection.refuse !== undefined) connection.refuse();
    else connections.markIdle(connection);
  }

  function receive(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.of(request.socket);
    if (connection === undefined || connection.socket.destroyed) return;
    if (connection.current === undefined) begin(connection, { request, response });
    else if (isFull(connection)) connections.close(connection, 'pipelining');
    else connection.waiting.push({ request, response });
  }

  /**
   * One piece of input can hold hundreds of requests, and node:http creates objects for all of them before other code
   * runs. `receive` bounds the requests in progress; this bounds what is parsed.
   */
  function stopReadingWhenFull(connection: ClientConnection): void {
    const { parser } = connection.socket as ParsedSocket;
    const onIncoming = parser?.onIncoming;
    if (!parser || typeof onIncoming !== 'function') return;
    parser.onIncoming = (request, keepAlive) => {
      if (!isFull(connection)) return onIncoming(request, keepAlive);
      connections.close(connection, 'pipelining');
      return stopParsing;
    };
  }

  function refuse(socket: Socket, refusal: RawRefusal, received: Buffer | undefined): void {
    const connection = connections.of(socket);
    if (connection === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    if (connection.refuse !== undefined) return;
    const { current, waiting } = connection;
    const mayRespond = onProtocolError(connection, received) && current?.headersSent !== true;
    // Computed now, so that the input is not kept until the connection is closed.
    const headers = mayRespond ? refusalHeaders(received) : {};
    connection.refuse = () => (mayRespond ? refuseRaw(socket, refusal, headers) : socket.destroy());
    // Complete requests before the error are answered first; the broken one comes last.
    if (waiting.at(-1)?.request.complete === false) waiting.pop();
    if (current?.req.complete !== true) connection.refuse();
  }

  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    const connection = connections.admit(socket);
    if (connection === undefined) return;
    socket.once('close', () => connections.forget(connection));
    stopReadingWhenFull(connection);
  });
  server.on('request', receive);
  // Unknown expectations may be ignored (RFC 9110 §10.1.1).
  server.on('checkExpectation', receive);
  server.on('connect', (_request, socket) => refuse(socket as Socket, connectRefusal, undefined));
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    const refusal = toRawRefusal(error.code);
    if (refusal === undefined) socket.destroy();
    else refuse(socket as Socket, refusal, error.rawPacket);
  });
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (server.listening) options.onServerError(error.code ?? 'unknown');
  });

  const check = setInterval(connections.closeUnread, checkIntervalMs).unref();
  server.on('close', () => clearInterval(check));
  return server;
}
