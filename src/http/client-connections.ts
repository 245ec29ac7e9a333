// Limits the connections of one listener: their number, in total and per address, and how long a response may wait for
// a client that does not read it. bounded-server.ts limits the requests of each connection.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';

/** A received request, with its response. */
export interface PendingRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface ClientConnection {
  readonly socket: Socket;
  /** The address that the connection counts for; undefined: in total only (a trusted proxy has many clients). */
  readonly addressKey: string | undefined;
  /** The response in progress; undefined: the connection is idle. */
  current: ServerResponse | undefined;
  /** Requests received before the current one was answered. */
  readonly waiting: PendingRequest[];
  /** Ends the connection after the requests before it are answered. */
  refuse: (() => void) | undefined;
  /** Since when the current response waits for the client to read it, in monotonic milliseconds. */
  unreadSince: number | undefined;
}

export type ConnectionCause = 'total' | 'address' | 'pipelining' | 'unread' | 'offender';

export interface ConnectionBounds {
  readonly total: number;
  readonly perAddress: number;
  /** How long a finished response may wait for the client to read it, in milliseconds. */
  readonly unreadMs: number;
}

/**
 * Measured: an idle connection takes 12 KB, one that has sent 45 KB of unfinished headers 83 KB, so all of them 128 MB.
 * One address may have enough for a large office or a load test, and cannot use up the total.
 */
export const publicConnectionBounds: ConnectionBounds = { total: 1_536, perAddress: 1_024, unreadMs: 15_000 };

/**
 * Accepting a connection and closing it again costs much more than refusing it. If so many connections of an address
 * were closed for pipelining or unread responses within `offencesWithinMs`, its new ones are refused until then.
 */
const maxOffences = 16;
const offencesWithinMs = 10_000;
/** The maximum number of remembered addresses; the oldest is forgotten first. */
const maxOffenders = 4_096;

/** Operators and their monitoring. */
export const adminConnectionBounds: ConnectionBounds = { total: 128, perAddress: 128, unreadMs: 15_000 };

interface ClientConnectionsOptions {
  readonly bounds: ConnectionBounds;
  readonly clock: Clock;
  /** The key under which a peer's connections are counted, or undefined if they count in total only. */
  readonly addressKeyOf: (peer: string | undefined) => string | undefined;
  /** Called for every connection that was closed because of a bound. */
  readonly onClosed: (cause: ConnectionCause) => void;
}

export interface ClientConnections {
  /** Accepts a new connection, if necessary by closing an idle one. Undefined: it exceeded a limit and was closed. */
  readonly admit: (socket: Socket) => ClientConnection | undefined;
  readonly of: (socket: Socket) => ClientConnection | undefined;
  readonly forget: (connection: ClientConnection) => void;
  /** An idle connection has no request in progress; it may have sent part of one. */
  readonly markIdle: (connection: ClientConnection) => void;
  readonly markBusy: (connection: ClientConnection) => void;
  readonly close: (connection: ClientConnection, cause: ConnectionCause) => void;
  /** Closes the connections whose client does not read its response. Call it about every second. */
  readonly closeUnread: () => void;
}

/** Holds one entry per open connection, so it is bounded by `bounds.total`. */
export function createClientConnections({
  bounds,
  clock,
  addressKeyOf,
  onClosed,
}: ClientConnectionsOptions): ClientConnections {
  const open = new Map<Socket, ClientConnection>();
  const perAddress = new Map<string, number>();
  /** The longest idle connection comes first. */
  const idle = new Set<ClientConnection>();
  const offenders = new LRUCache<string, { count: number; readonly endsAt: number }>({ max: maxOffenders });

  function noteOffence(addressKey: string): void {
    const now = clock.monotonic();
    const known = offenders.get(addressKey);
    if (known !== undefined && now < known.endsAt) known.count += 1;
    else offenders.set(addressKey, { count: 1, endsAt: now + offencesWithinMs });
  }

  function isOffender(addressKey: string): boolean {
    const known = offenders.peek(addressKey);
    return known !== undefined && known.count >= maxOffences && clock.monotonic() < known.endsAt;
  }

  function forget(connection: ClientConnection): void {
    if (!open.delete(connection.socket)) return;
    idle.delete(connection);
    if (connection.addressKey === undefined) return;
    const left = (perAddress.get(connection.addressKey) ?? 1) - 1;
    if (left === 0) perAddress.delete(connection.addressKey);
    else perAddress.set(connection.addressKey, left);
  }

  function close(connection: ClientConnection, cause: ConnectionCause): void {
    onClosed(cause);
    if ((cause === 'pipelining' || cause === 'unread') && connection.addressKey !== undefined) {
      noteOffence(connection.addressKey);
    }
    forget(connection);
    connection.socket.destroy();
  }

  /** Makes room: closes the longest idle connection, of this address or of any. */
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
      if (addressKey !== undefined && isOffender(addressKey)) {
        onClosed('offender');
        socket.destroy();
        return undefined;
      }
      if (!hasRoomFor(addressKey)) {
        onClosed(open.size >= bounds.total ? 'total' : 'address');
        socket.destroy();
        return undefined;
      }
      const connection: ClientConnection = {
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
