// The connections of one listener: how many there may be, in total and of one address, and for how long an answer may
// wait for a client that does not read it. Which requests a connection may send is request-turns.ts's work.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface Connection {
  readonly socket: Socket;
  /** Whom the connection is counted for; undefined: in total only (a named proxy, which speaks for many). */
  readonly addressKey: string | undefined;
  /** The answer that is being made or written; undefined: the connection is idle. */
  current: ServerResponse | undefined;
  /** Requests that came before the current one was answered. */
  readonly waiting: Exchange[];
  /** What ends the connection once everything before it is answered. */
  refuse: (() => void) | undefined;
  /** Since when the current answer waits to be read, in monotonic milliseconds. */
  unreadSince: number | undefined;
}

export type ConnectionCause = 'total' | 'address' | 'pipelining' | 'unread';

export interface ConnectionBounds {
  readonly total: number;
  readonly perAddress: number;
  /** How long a finished answer may wait for its reader, in milliseconds. */
  readonly unreadMs: number;
}

/**
 * Each open connection takes up to 25 KB, and up to 48 KiB more while its headers come in: 112 MB for all of them. One
 * address may have as many as a large office or a load test needs, and leaves room for others.
 */
export const publicConnectionBounds: ConnectionBounds = { total: 1_536, perAddress: 1_024, unreadMs: 15_000 };

/** Operators and their monitoring. */
export const adminConnectionBounds: ConnectionBounds = { total: 128, perAddress: 128, unreadMs: 15_000 };

interface ConnectionsOptions {
  readonly bounds: ConnectionBounds;
  readonly clock: Clock;
  /** The key under which a peer's connections are counted, or undefined if they count in total only. */
  readonly addressKeyOf: (peer: string | undefined) => string | undefined;
  /** Called for every connection that was closed because of a bound. */
  readonly onClosed: (cause: ConnectionCause) => void;
}

export interface Connections {
  /** Takes a new connection in, perhaps in the place of an idle one. Undefined: it is over a bound and was closed. */
  readonly admit: (socket: Socket) => Connection | undefined;
  readonly of: (socket: Socket) => Connection | undefined;
  readonly forget: (connection: Connection) => void;
  /** An idle connection has no request that is being answered; it may have sent half of one. */
  readonly markIdle: (connection: Connection) => void;
  readonly markBusy: (connection: Connection) => void;
  readonly close: (connection: Connection, cause: ConnectionCause) => void;
  /** Closes the connections whose answer is not read. Call it about every second. */
  readonly closeUnread: () => void;
}

/** Holds one entry per open connection, so it is bounded by `bounds.total`. */
export function createConnections({ bounds, clock, addressKeyOf, onClosed }: ConnectionsOptions): Connections {
  const open = new Map<Socket, Connection>();
  const perAddress = new Map<string, number>();
  /** The one that has been idle for longest comes first. */
  const idle = new Set<Connection>();

  function forget(connection: Connection): void {
    if (!open.delete(connection.socket)) return;
    idle.delete(connection);
    if (connection.addressKey === undefined) return;
    const left = (perAddress.get(connection.addressKey) ?? 1) - 1;
    if (left === 0) perAddress.delete(connection.addressKey);
    else perAddress.set(connection.addressKey, left);
  }

  function close(connection: Connection, cause: ConnectionCause): void {
    onClosed(cause);
    forget(connection);
    connection.socket.destroy();
  }

  /** Makes room by closing the connection, of this address or of any, that has been idle for longest. */
  function makeRoom(cause: 'total' | 'address', addressKey?: string): boolean {
    for (const connection of idle) {
      if (addressKey !== undefined && connection.addressKey !== addressKey) continue;
      close(connection, cause);
      return true;
    }
    return false;
  }

  function hasRoomFor(addressKey: string | undefined): boolean {
    if (addressKey !== undefined && (perAddress.get(addressKey) ?? 0) >= bounds.perAddress) {
      return makeRoom('address', addressKey);
    }
    return open.size < bounds.total || makeRoom('total');
  }

  return {
    admit: (socket) => {
      const addressKey = addressKeyOf(socket.remoteAddress);
      if (!hasRoomFor(addressKey)) {
        onClosed(open.size >= bounds.total ? 'total' : 'address');
        socket.destroy();
        return undefined;
      }
      const connection: Connection = {
        socket,
        addressKey,
        current: undefined,
        waiting: [],
        refuse: undefined,
        unreadSince: undefined,
      };
      open.set(socket, connection);
      idle.add(connection);
      if (addressKey !== undefined) perAddress.set(addressKey, (perAddress.get(addressKey) ?? 0) + 1);
      return connection;
    },
    of: (socket) => open.get(socket),
    forget,
    markIdle: (connection) => {
      if (open.has(connection.socket)) idle.add(connection);
    },
    markBusy: (connection) => void idle.delete(connection),
    close,
    closeUnread: () => {
      const now = clock.monotonic();
      for (const connection of open.values()) {
        if (connection.current?.writableEnded !== true) continue;
        connection.unreadSince ??= now;
        if (now - connection.unreadSince >= bounds.unreadMs) close(connection, 'unread');
      }
    },
  };
}
