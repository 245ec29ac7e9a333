// A simulated Databrain that answers at once, with a new UUID that ends in the number of the requested user, so that
// every answer shows which user it is for.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { selfSigned } from '../../test/support/self-signed.ts';
import { createMessageReader } from './wire.ts';

export interface Upstream {
  readonly port: number;
  /** Tokens minted since the last call. */
  readonly takeCalls: () => number;
  /** The maximum number of open connections since the last call. */
  readonly takeMostOpen: () => number;
  readonly close: () => void;
}

/** The number in `user-17`, which is in the body or in a header (HAProxy). */
const userIn = (text: string): string => /user-(\d+)/.exec(text)?.[1] ?? '0';

/** The user's number as the last group of a UUID. */
export const uuidGroupOf = (user: number | string): string => String(user).padStart(12, '0');

/** @param delayMs how long each answer takes */
export async function startUpstream({ delayMs = 0, tls = false } = {}): Promise<Upstream> {
  let [calls, open, mostOpen] = [0, 0, 0];
  let minted = 0;
  const answer = (socket: Socket, text: string): void => {
    calls += 1;
    minted += 1;
    const token = `${minted.toString(16).padStart(8, '0')}-0000-4000-8000-${uuidGroupOf(userIn(text))}`;
    const body = `{"token":"${token}"}`;
    const response = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    if (delayMs === 0) socket.write(response);
    else setTimeout(() => socket.writable && socket.write(response), delayMs);
  };
  const serve = (socket: Socket): void => {
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    socket.on('error', () => undefined);
    socket.on('close', () => (open -= 1));
    socket.on(
      'data',
      createMessageReader(({ head, body }) => answer(socket, `${body}${head}`)),
    );
  };
  const server: Server = tls
    ? createTlsServer({ ...selfSigned, noDelay: true }, serve)
    : createServer({ noDelay: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    takeCalls: () => {
      const taken = calls;
      calls = 0;
      return taken;
    },
    takeMostOpen: () => {
      const most = mostOpen;
      mostOpen = open;
      return most;
    },
    close: () => void server.close(),
  };
}
