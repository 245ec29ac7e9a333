// A TCP client that sends any bytes, and uses its connection unlike a browser.
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

export interface Probe {
  readonly socket: Socket;
  /** All received bytes so far. */
  readonly received: () => string;
  /** Resolves when the other side has closed or reset the connection, with the milliseconds since the start. */
  readonly ended: Promise<number>;
}

/**
 * Connects, writes the bytes, and keeps its own end open whatever happens.
 * @param from the address of the client; all of 127.0.0.0/8 is this machine
 */
export async function openProbe(port: number, bytes: string | Buffer = '', from = '127.0.0.1'): Promise<Probe> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
  const startedAt = performance.now();
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const ended = new Promise<number>((resolve) => {
    for (const event of ['end', 'close']) socket.once(event, () => resolve(performance.now() - startedAt));
  });
  await new Promise((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', resolve);
  });
  if (bytes.length > 0) socket.write(bytes);
  return { socket, received: () => text, ended };
}

/** The number of open files and sockets of a process (Linux only). */
export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
