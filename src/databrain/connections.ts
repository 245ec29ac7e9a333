// The connections to the upstream, each carrying one call at a time. After an answer a connection rests before it is
// used again, so that an answer which the upstream sends twice closes the connection instead of answering the next user.
//
// The connection that has rested longest is taken first, and up to `spread` connections are opened rather than using
// one that has rested less than `longRestMs`. Only beyond that, in a burst, `shortRestMs` is enough, and only while
// nothing surplus has come from this upstream; once something has, the long rest holds for all for `distrustMs`.
import { Client, type buildConnector } from 'undici';
import type { Clock } from '../clock.ts';
import { isProtocolViolation } from './connection-loss.ts';

export interface Connection {
  readonly client: Client;
  /** Answers that have come over its present socket. */
  answers: number;
  restingSince: number;
}

/** Is given a connection that nobody else uses, or undefined when the service closes. */
export type UseConnection = (connection: Connection | undefined) => void;

export interface Connections {
  /** Calls `use` at once or as soon as a connection has rested. With `fresh` it is a new one, if one more may be open. */
  readonly take: (fresh: boolean, use: UseConnection) => void;
  /** Withdraws a `take` whose `use` was not called yet. */
  readonly withdraw: (use: UseConnection) => void;
  /** A whole answer came: the connection rests and is used again. */
  readonly giveBack: (connection: Connection) => void;
  /** The call failed or was given up: the connection is closed. */
  readonly discard: (connection: Connection) => void;
  /** An answer came that nobody had asked for, or that belongs to somebody else. */
  readonly distrust: () => void;
  readonly close: () => Promise<void>;
}

export interface ConnectionLimits {
  /** The most that are open at a time. */
  readonly most: number;
  /** Up to so many are opened rather than using one after a short rest. */
  readonly spread: number;
  readonly shortRestMs: number;
  readonly longRestMs: number;
  readonly distrustMs: number;
  /** How long an unused connection is kept: shorter than what gateways allow, so that the race with their close is rare. */
  readonly keepAliveMs: number;
}

interface ConnectionsOptions extends ConnectionLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly origin: string;
  readonly connect: buildConnector.connector;
  readonly maxAnswerBytes: number;
  readonly onSurplus: () => void;
}

/** When a connection that is next in turn has not been needed for so long, there are too many, and one is closed ... */
const unneededMs = 500;
/** ... but not more often than this. */
const shrinkEveryMs = 100;

export function createConnections(options: ConnectionsOptions): Connections {
  const { clock, most, spread, longRestMs } = options;
  const open = new Set<Connection>();
  /** In the order in which they began to rest. */
  const resting: Connection[] = [];
  const waiting = new Set<UseConnection>();
  let distrustedUntil = -Infinity;
  let shrinkAt = 0;
  /**
   * Rest counts up to here: when the timer last ran. Not up to now, as after a pause of this process the clock has gone
   * on while nothing was read from any connection.
   */
  let heardUntil = -Infinity;
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
    if (now >= distrustedUntil) options.onSurplus();
    distrustedUntil = now + options.distrustMs;
  };

  const start = (): Connection => {
    const client = new Client(options.origin, {
      connect: options.connect,
      allowH2: false,
      pipelining: 1,
      maxResponseSize: options.maxAnswerBytes,
      keepAliveTimeout: options.keepAliveMs,
      keepAliveMaxTimeout: options.keepAliveMs,
      // The caller's one time limit covers both; undici's bodyTimeout starts again with every chunk.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const connection: Connection = { client, answers: 0, restingSince: 0 };
    client.on('disconnect', (_origin, _targets, error) => {
      connection.answers = 0;
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
    const restedMs = oldest === undefined ? -1 : heardUntil - oldest.restingSince;
    if (oldest !== undefined && restedMs >= (open.size < spread ? longRestMs : restNeededMs(now))) {
      resting.shift();
      shrink(now);
      return oldest;
    }
    const mayOpen = oldest === undefined || now < distrustedUntil ? most : spread;
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

  /** Runs while connections rest that have not rested for long. */
  const listen = (): void => {
    if (timer !== undefined || isClosed) return;
    const isShort = open.size >= spread && clock.monotonic() >= distrustedUntil;
    timer = setTimeout(
      () => {
        timer = undefined;
        heardUntil = clock.monotonic();
        serveWaiting();
        if (resting.length > 0 && heardUntil < lastRestedAt + longRestMs) listen();
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
      const connection = fresh && open.size < most ? start() : available();
      if (connection !== undefined) return use(connection);
      waiting.add(use);
      timer?.ref();
    },
    withdraw: (use) => void waiting.delete(use),
    giveBack: (connection) => {
      connection.answers += 1;
      connection.restingSince = lastRestedAt = clock.monotonic();
      resting.push(connection);
      listen();
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
