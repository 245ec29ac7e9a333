// Error responses to input that is not a valid request: not HTTP/1.1, headers too long or too slow, CONNECT. They are
// written to the socket directly, which then closes soon, whatever the client does (RFC 9112 §9.6).
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { errorRow, type ErrorCode } from '../errors.ts';
import { errorBody } from './error-reply.ts';

export interface RawRefusal {
  readonly status: number;
  readonly code: ErrorCode;
}

/**
 * How long the client may take to read the response. Closing at once could lose it: bytes that arrive after the close
 * cause a reset.
 */
const lingerMs = 500;

const phrases: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [408, 'Request Timeout'],
  [413, 'Content Too Large'],
  [431, 'Request Header Fields Too Large'],
  [505, 'HTTP Version Not Supported'],
]);

const badRequest: RawRefusal = { status: 400, code: 'INVALID_REQUEST' };

/** Errors of the parser and timers of node:http, by code. All others are a 400. */
const parserRefusals: ReadonlyMap<string, RawRefusal> = new Map([
  ['HPE_HEADER_OVERFLOW', { status: 431, code: 'HEADERS_TOO_LARGE' }],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', { status: 413, code: 'BODY_TOO_LARGE' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, code: 'INVALID_REQUEST' }],
  ['HPE_INVALID_VERSION', { status: 505, code: 'INVALID_REQUEST' }],
  ['HPE_PAUSED_H2_UPGRADE', { status: 505, code: 'INVALID_REQUEST' }],
]);

/** The refusal for an error of node:http; undefined if the connection broke, so that no response can be sent. */
export function toRawRefusal(errorCode: string | undefined): RawRefusal | undefined {
  if (errorCode === undefined) return undefined;
  const known = parserRefusals.get(errorCode);
  return known ?? (errorCode.startsWith('HPE_') ? badRequest : undefined);
}

/** The Origin in a request that could not be parsed; undefined if there is none, or several. */
export function originHeaderOf(received: Buffer | undefined): string | undefined {
  const lines = [...(received?.toString('latin1') ?? '').matchAll(/\r\norigin:[ \t]*([^\s]+)[ \t]*\r\n/gi)];
  return lines.length === 1 ? lines[0]?.[1] : undefined;
}

/** Protocols that a wrongly configured load balancer may use on this port. */
export type OtherProtocol = 'TLS' | 'PROXY protocol' | 'HTTP/2';

/** Recognises another protocol by its first bytes; undefined if it is none of these. */
export function otherProtocolOf(received: Buffer | undefined): OtherProtocol | undefined {
  // RFC 8446 §5.1: a handshake record of version 3.x.
  if (received?.[0] === 0x16 && received[1] === 0x03) return 'TLS';
  const start = received?.toString('latin1', 0, 14) ?? '';
  if (/^PROXY (TCP[46]|UNKNOWN)/.test(start) || start.startsWith('\r\n\r\n\0\r\nQUIT\n')) return 'PROXY protocol';
  return start === 'PRI * HTTP/2.0' ? 'HTTP/2' : undefined;
}

export const connectRefusal = badRequest;

/** Writes the response and closes the connection, within half a second. */
export function refuseRaw(
  socket: Socket,
  { status, code }: RawRefusal,
  extraHeaders: Readonly<Record<string, string>>,
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const body = errorBody(code, requestId);
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    ...extraHeaders,
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${phrases.get(status) ?? errorRow(code).status}\r\n${lines.join('')}\r\n${body}`);
  const release = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(release));
  // Node has stopped reading this socket; unread bytes would turn the close into a reset.
  socket.resume();
}
