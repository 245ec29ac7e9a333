// The ioredis client for an address, with settings under which nothing waits: no queue while disconnected, no retries,
// and time limits everywhere. With the library's defaults requests hang for seconds when Redis is down or frozen.
// The library is loaded only when Redis is configured.
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';

export type RedisArgument = string | Buffer | number;

/** What is used of ioredis, so that one server, Sentinel and cluster look the same. */
export interface RedisClient {
  readonly status: string;
  readonly call: (command: string, args: RedisArgument[]) => Promise<unknown>;
  readonly callBuffer: (command: string, args: RedisArgument[]) => Promise<unknown>;
  readonly on: (event: string, listener: (error?: unknown) => void) => unknown;
  readonly disconnect: (reconnect?: boolean) => void;
}

const connectTimeoutMs = 2_000;
/** Backstop for what nobody waits for any more, such as the library's own ready check on a frozen server. */
const commandTimeoutMs = 1_000;
const longestPauseMs = 2_000;

/** Pause before another connection attempt; never gives up. Half of it is random, so that replicas spread. */
const reconnectPauseMs = (random: () => number) => (attempt: number) => {
  const pause = Math.min(longestPauseMs, 100 * 2 ** Math.min(attempt, 6));
  return Math.round(pause / 2 + (random() * pause) / 2);
};

/** Opens a client; the connection is made in the background. */
export async function openRedisClient(address: RedisAddress, random: () => number): Promise<RedisClient> {
  const { Redis, Cluster } = await import('ioredis');
  const pause = reconnectPauseMs(random);
  const tls = address.tls ? { tls: {} } : {};
  const common = {
    ...tls,
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    connectionName: 'guest-token-proxy',
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A former master that became a replica (failover): connect again, to whoever is master now.
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
        ...(address.sentinelUsername === undefined ? {} : { sentinelUsername: address.sentinelUsername }),
        ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword }),
        ...(address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
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
