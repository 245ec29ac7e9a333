// The connections to the upstream, each with one call at a time. After a response a connection rests before it is used
// again, so that a response that is sent twice closes the connection and never reaches the next user.
//
// The connection that has rested longest is used first. Up to `connectionsBeforeShortRest` connections are opened
// before one is used that has rested less than `longRestMs`. Beyond that, in a burst, `shortRestMs` is enough, unless
// the upstream sent an unexpected response: then the long rest applies to all connections for `distrustMs`.
import { Client, type buildConnector } from 'undici';
import type { Clock } from '../clock.ts';
import { isProtocolViolation } from './upstream-fault.ts';

export interface Connection {
  readonly client: Client;
  /** Responses received over its current socket. */
  responses: number;
  restingSince: number;
}

/** Called with a connection for exclusive use, or with undefined if the service is closing. */
export type UseConnection = (connection: Connection | undefined) => void;

export interface Connections {
  /** Calls `use` as soon as a connection is available. With `fresh` it is a new one, if the limit permits. */
  readonly take: (fresh: boolean, use: UseConnection) => void;
  /** Withdraws a `take` whose `use` was not called yet. */
  readonly withdraw: (use: UseConnection) => void;
  /** A complete response was received: the connection rests and is used again. */
  readonly release: (connection: Connection) => void;
  /** The call failed or timed out: the connection is closed. */
  readonly discard: (connection: Connection) => void;
  /** A response without a request, or one for another call, was received. */
  readonly distrust: () => void;
  readonly close: () => Promise<void>;
}

export interface ConnectionLimits {
  /** The maximum number of open connections. */
  readonly maxConnections: number;
  /** Below this number, a new connection is opened instead of using one after a short rest. */
  readonly connectionsBeforeShortRest: number;
  readonly shortRestMs: number;
  readonly longRestMs: number;
  readonly distrustMs: number;
  /** How long an unused connection is kept: shorter than gateways do, so that it rarely closes while a call is sent. */
  readonly keepAliveMs: number;
}

interface ConnectionsOptions extends ConnectionLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly origin: string;
  readonly connect: buildConnector.connector;
  readonly maxResponseBytes: number;
  readonly onUnexpectedResponse: () => void;
}

/** If the next connection was not needed for this long, there are too many, and one is closed ... */
const unneededMs = 500;
/** ... at most once in this time. */
const shrinkEveryMs = 100;

export function createConnections(options: ConnectionsOptions): Connections {
  const { clock, maxConnections, connectionsBeforeShortRest, longRestMs } = options;
  const open = new Set<Connection>();
  /** Ordered by the start of their rest. */
  const resting: Connection[] = [];
  const waiting = new Set<UseConnection>();
  let distrustedUntil = -Infinity;
  let shrinkAt = 0;
  /**
   * Rest is measured up to the last run of the timer, not up to now: after a pause of the process the clock has
   * advanced, but nothing was read from any connection.
   */
  let restCountedUntil = -Infinity;
  let lastRestedAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const end = (connection: Connection): void => {
    open.delete(connection);
    const at = resting.indexOf(connection);
    if (at >= 0) resting.splice(at, 1);
    void connection.client.destroy();
  };

  const discard = (connection: Connection): void => {
    end(connection);
    serveWaiting();
  };

  const distrust = (): void => {
    const now = clock.monotonic();
    if (now >= distrustedUntil) options.onUnexpectedResponse();
    distrustedUntil = now + options.distrustMs;
  };

  const start = (): Connection => {
    const client = new Client(options.origin, {
      connect: options.connect,
      allowH2: false,
      pipelining: 1,
      maxResponseSize: options.maxResponseBytes,
      keepAliveTimeout: options.keepAliveMs,
      keepAliveMaxTimeout: options.keepAliveMs,
      // The caller's time limit covers both. undici's bodyTimeout restarts with every chunk.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const connection: Connection = { client, responses: 0, restingSince: 0 };
    client.on('disconnect', (_origin, _targets, error) => {
      connection.responses = 0;
      if (!resting.includes(connection)) return;
      if (isProtocolViolation(error, false)) distrust();
      discard(connection);
    });
    open.add(connection);
    return connection;
  };

  const restNeededMs = (now: number): number => (now < distrustedUntil ? longRestMs : options.shortRestMs);

  const shrink = (now: number): void => {
    const next = resting[0];
    if (next === undefined || now < shrinkAt || now - next.restingSince < unneededMs) return;
    shrinkAt = now + shrinkEveryMs;
    end(next);
  };

  const available = (): Connection | undefined => {
    const now = clock.monotonic();
    const oldest = resting[0];
    const restedMs = oldest === undefined ? -1 : restCountedUntil - oldest.restingSince;
    if (oldest !== undefined && restedMs >= (open.size < connectionsBeforeShortRest ? longRestMs : restNeededMs(now))) {
      resting.shift();
      shrink(now);
      return oldest;
    }
    const mayOpen = oldest === undefined || now < distrustedUntil ? maxConnections : connectionsBeforeShortRest;
    return open.size < mayOpen ? start() : undefined;
  };

  const serveWaiting = (): void => {
    if (isClosed) return;
    for (const use of waiting) {
      const connection = available();
      if (connection === undefined) break;
      waiting.delete(use);
      use(connection);
    }
  };

  /** Runs while a connection has not rested for `longRestMs`. */
  const watchRest = (): void => {
    if (timer !== undefined || isClosed) return;
    const isShort = open.size >= connectionsBeforeShortRest && clock.monotonic() >= distrustedUntil;
    timer = setTimeout(
      () => {
        timer = undefined;
        restCountedUntil = clock.monotonic();
        serveWaiting();
        if (resting.length > 0 && restCountedUntil < lastRestedAt + longRestMs) watchRest();
      },
      isShort ? options.shortRestMs : longRestMs / 5,
    );
    if (waiting.size === 0) timer.unref();
  };

  return {
    discard,
    distrust,
    take: (fresh, use) => {
      if (isClosed) return use(undefined);
      const connection = fresh && open.size < maxConnections ? start() : available();
      if (connection !== undefined) return use(connection);
      waiting.add(use);
      timer?.ref();
    },
    withdraw: (use) => void waiting.delete(use),
    release: (connection) => {
      connection.responses += 1;
      connection.restingSince = lastRestedAt = clock.monotonic();
      resting.push(connection);
      watchRest();
    },
    close: async () => {
      isClosed = true;
      clearTimeout(timer);
      const clients = [...open].map(({ client }) => client);
      open.clear();
      resting.length = 0;
      for (const use of waiting) use(undefined);
      waiting.clear();
      await Promise.all(clients.map((client) => client.destroy()));
    },
  };
}
