// Creates the ioredis client for an address, without offline queue and retries, and with time limits: with the
// library's defaults, requests hang for seconds if Redis is down or frozen. The library is only loaded if Redis is
// configured.
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';

export type RedisArgument = string | Buffer | number;

/** A Lua script for one key. ioredis sends its hash, and the text to a server that does not know it. */
export interface RedisScript {
  /** Unique in the program, in camelCase. */
  readonly name: string;
  readonly lua: string;
}

/** The used part of ioredis, the same for one server, Sentinel and cluster. */
export interface RedisClient {
  readonly isReady: () => boolean;
  readonly call: (command: string, args: readonly RedisArgument[]) => Promise<unknown>;
  /** Runs the script for the key. Bulk replies are Buffers, integers are numbers. */
  readonly run: (script: RedisScript, key: string, args: readonly RedisArgument[]) => Promise<unknown>;
  readonly onReady: (listener: () => void) => void;
  readonly onError: (listener: (error: unknown) => void) => void;
  readonly onClose: (listener: () => void) => void;
  /** Closes the connection and opens a new one. */
  readonly reconnect: () => void;
  readonly close: () => void;
}

const connectTimeoutMs = 2_000;
/** A time limit for commands without a caller, such as the library's ready check on a frozen server. */
const commandTimeoutMs = 1_000;
const maxPauseMs = 2_000;

/** The pause before the next connection attempt, without end. Half of it is random, so that replicas spread. */
const reconnectPauseMs = (random: () => number) => (attempt: number) => {
  const pause = Math.min(maxPauseMs, 100 * 2 ** Math.min(attempt, 6));
  return Math.round(pause / 2 + (random() * pause) / 2);
};

/**
 * The TLS options of every connection, also of those that the library opens itself: to Sentinels, and to learn the
 * slots of a cluster. The library listens for the first error of a connection only. A server that sends bytes which are
 * not TLS after its certificate was refused causes a second one, which would end the process if nobody listened for it.
 */
const verifiedTls = {
  // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED would change the default.
  rejectUnauthorized: true,
  /**
   * Node.js listens for all errors of a socket that has a signal, also after the first (`stream.finished`). Nothing
   * aborts it. The library reads this once per connection: a shared signal would keep every closed socket in memory.
   */
  get signal(): AbortSignal {
    return new AbortController().signal;
  },
};

async function connect(address: RedisAddress, random: () => number) {
  const { Redis, Cluster } = await import('ioredis');
  const pause = reconnectPauseMs(random);
  const common = {
    ...(address.tls && { tls: verifiedTls }),
    ...(address.username !== undefined && { username: address.username }),
    ...(address.password && { password: address.password.reveal() }),
    connectionName: 'guest-token-proxy',
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover, a former master is a replica: reconnect to the current master.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
  const alone = { ...common, enableOfflineQueue: false, retryStrategy: pause } satisfies RedisOptions;
  switch (address.kind) {
    case 'single':
      return new Redis({ ...alone, ...address.node, db: address.db });
    case 'sentinel':
      return new Redis({
        ...alone,
        sentinels: [...address.sentinels],
        name: address.master,
        db: address.db,
        sentinelRetryStrategy: pause,
        sentinelCommandTimeout: commandTimeoutMs,
        failoverDetector: true,
        ...(address.sentinelUsername !== undefined && { sentinelUsername: address.sentinelUsername }),
        ...(address.sentinelPassword && { sentinelPassword: address.sentinelPassword.reveal() }),
        ...(address.tls && { enableTLSForSentinelMode: true, sentinelTLS: verifiedTls }),
      });
    case 'cluster':
      return new Cluster([...address.nodes], {
        redisOptions: common,
        enableOfflineQueue: false,
        clusterRetryStrategy: pause,
        slotsRefreshTimeout: connectTimeoutMs,
        retryDelayOnFailover: 0,
        retryDelayOnClusterDown: 0,
        maxRedirections: 3,
      } satisfies ClusterOptions);
  }
}

/** The method that `defineCommand` adds to a client. */
type ScriptCall = (key: string, ...args: RedisArgument[]) => Promise<unknown>;

/** Creates a client, which connects in the background. */
export async function openRedisClient(address: RedisAddress, random: () => number): Promise<RedisClient> {
  const client = await connect(address, random);
  const scripts = new Map<RedisScript, ScriptCall>();

  const define = (script: RedisScript): ScriptCall => {
    client.defineCommand(script.name, { numberOfKeys: 1, lua: script.lua });
    const call = (client as unknown as Record<string, ScriptCall>)[`${script.name}Buffer`];
    if (call === undefined) throw new TypeError('ioredis did not define the command');
    const bound: ScriptCall = (key, ...args) => call.call(client, key, ...args);
    scripts.set(script, bound);
    return bound;
  };

  return {
    isReady: () => client.status === 'ready',
    call: (command, args) => client.call(command, [...args]),
    run: (script, key, args) => (scripts.get(script) ?? define(script))(key, ...args),
    onReady: (listener) => void client.on('ready', listener),
    onError: (listener) => void client.on('error', listener),
    onClose: (listener) => void client.on('close', listener),
    reconnect: () => client.disconnect(true),
    close: () => client.disconnect(),
  };
}
