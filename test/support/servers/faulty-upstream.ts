// An upstream on a real socket that sends exactly the bytes of a test, also invalid ones. It parses requests itself, so
// that node:http does not correct the script's errors.
import { createServer, type Socket } from 'node:net';
import { freePort } from '../../../demo/free-port.ts';

export interface SeenRequest {
  /** The number of its connection, from 0. */
  readonly connection: number;
  /** Its number on that connection, from 0. */
  readonly onConnection: number;
  /** Its number among all requests, from 0. */
  readonly index: number;
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export type Script = (request: SeenRequest, socket: Socket) => void;

export interface FaultyUpstream {
  readonly baseUrl: string;
  readonly port: number;
  readonly seen: readonly SeenRequest[];
  readonly openSockets: () => number;
  /** Connections accepted since the start. */
  readonly connections: () => number;
  /** Bytes written to callers, by connection. */
  readonly bytesWritten: () => readonly number[];
  readonly close: () => Promise<void>;
}

/** @param onConnection runs as soon as a connection is accepted, before anything is read from it */
export async function startFaultyUpstream(
  script: Script,
  onConnection: (socket: Socket, connection: number) => void = () => undefined,
): Promise<FaultyUpstream> {
  const seen: SeenRequest[] = [];
  const open = new Set<Socket>();
  const all: Socket[] = [];

  const server = createServer({ noDelay: true }, (socket) => {
    const connection = all.push(socket) - 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    let pending = Buffer.alloc(0);
    let onConnectionCount = 0;
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        const request = readRequest(pending);
        if (request === undefined) return;
        pending = pending.subarray(request.length);
        const { method, path, headers, body } = request;
        const entry = {
          connection,
          onConnection: onConnectionCount++,
          index: seen.length,
          method,
          path,
          headers,
          body,
        };
        seen.push(entry);
        script(entry, socket);
      }
    });
    onConnection(socket, connection);
  });

  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    port,
    seen,
    openSockets: () => open.size,
    connections: () => all.length,
    bytesWritten: () => all.map((socket) => socket.bytesWritten),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function readRequest(bytes: Buffer) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [requestLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = end + 4 + Number(headers.get('content-length') ?? '0');
  if (bytes.length < length) return undefined;
  const [method = '', path = ''] = requestLine.split(' ');
  return { method, path, headers, length, body: bytes.subarray(end + 4, length).toString('utf8') };
}

/** A complete response with a correct length, as bytes. */
export function httpResponse(
  status: number,
  body: string | Buffer = '',
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): Buffer {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ 'content-length': String(bytes.length), ...headers }).map(
    ([k, v]) => `${k}: ${v}\r\n`,
  );
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n`, 'latin1'), bytes]);
}

/** A different UUID for each number. */
export const uuidOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export const tokenResponse = (n = 0): Buffer => httpResponse(200, JSON.stringify({ token: uuidOf(n), error: null }));

export const errorResponse = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): Buffer =>
  httpResponse(status, JSON.stringify({ error: { code, message: 'Something the vendor says.' } }), {
    'content-type': 'application/json',
    ...headers,
  });

/** Ends the connection with RST instead of FIN. */
export const reset = (socket: Socket): void => void socket.resetAndDestroy();
