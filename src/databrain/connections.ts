// The connections to the upstream: a bounded set of kept ones, each carrying one call at a time and resting after every
// answer before it is used again. undici's Pool would use it again at once, and then an answer that the upstream sends
// twice, a moment apart, becomes the answer to the next user's request (measured: one call in ten).
import { buildConnector, Client, errors, type Dispatcher } from 'undici';

export interface Connections {
  /**
   * Runs one exchange on a connection that nobody else uses meanwhile: a kept one that has rested, or with `fresh`, or
   * if none has, one of its own that is closed afterwards.
   */
  readonly use: <T>(fresh: boolean, exchange: (connection: Dispatcher) => Promise<T>) => Promise<T>;
  /** Whether this error came from a connection over which an earlier call had been answered. */
  readonly hadAnswered: (error: unknown) => boolean;
  readonly close: () => Promise<void>;
}

interface ConnectionsOptions {
  readonly origin: string;
  /** How many are kept at most. */
  readonly kept: number;
  /** How long an answered connection is left alone, so that surplus bytes close it instead of answering somebody. */
  readonly restMs: number;
  /** How long an idle connection is kept: shorter than what gateways allow, so that the race with their close is rare. */
  readonly keepAliveMs: number;
  /** Bounds connecting, so that a call that was given up does not keep its socket for long. */
  readonly connectTimeoutMs: number;
  readonly maxAnswerBytes: number;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const memory = createSocketMemory();
  const connect = memory.remembering(buildConnector({ timeout: options.connectTimeoutMs, allowH2: false }));
  const all = new Set<Client>();
  /** Rested ones; the last used is taken first, so that the others may grow old and close. */
  const free: Client[] = [];
  const resting = new Set<NodeJS.Timeout>();
  let kept = 0;

  const open = (pipelining: 0 | 1): Client => {
    const client = new Client(options.origin, {
      connect,
      pipelining,
      maxResponseSize: options.maxAnswerBytes,
      keepAliveTimeout: options.keepAliveMs,
      keepAliveMaxTimeout: options.keepAliveMs,
      // The caller's one time limit covers both; undici's bodyTimeout starts again with every chunk.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    all.add(client);
    return client;
  };

  const takeKept = (): Client | undefined => {
    const rested = free.pop();
    if (rested !== undefined || kept >= options.kept) return rested;
    kept += 1;
    return open(1);
  };

  const rest = (client: Client): void => {
    const timer = setTimeout(() => {
      resting.delete(timer);
      free.push(client);
    }, options.restMs);
    timer.unref();
    resting.add(timer);
  };

  return {
    hadAnswered: memory.hadAnswered,
    use: async (fresh, exchange) => {
      const keeping = fresh ? undefined : takeKept();
      const client = keeping ?? open(0);
      try {
        return await exchange(client);
      } finally {
        if (keeping !== undefined) rest(keeping);
        else {
          all.delete(client);
          void client.destroy();
        }
      }
    },
    close: async () => {
      for (const timer of resting) clearTimeout(timer);
      await Promise.all([...all].map((client) => client.destroy()));
    },
  };
}

/** Knows of a failed connection whether anything had ever come over it: if so, it was one kept from an earlier call. */
function createSocketMemory() {
  const answeredBefore = new WeakSet<Error>();
  return {
    remembering:
      (connect: buildConnector.connector): buildConnector.connector =>
      (target, callback) =>
        connect(target, (...result) => {
          const [, socket] = result;
          socket?.once('error', (error: Error) => {
            if (socket.bytesRead > 0) answeredBefore.add(error);
          });
          callback(...result);
        }),
    hadAnswered: (error: unknown): boolean =>
      error instanceof Error &&
      (answeredBefore.has(error) || (error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0)),
  };
}
