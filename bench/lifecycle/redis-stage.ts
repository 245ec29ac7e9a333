// The Redis of a run: one server, or a master with a replica that a Sentinel watches.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../demo/free-port.ts';
import { startRedisServer, type RedisServer } from '../../test/support/servers/redis-server.ts';

export interface RedisStage extends AsyncDisposable {
  /** For `REDIS_URL`. */
  readonly url: string;
  readonly master: RedisServer;
}

export async function startOneRedis(): Promise<RedisStage> {
  const master = await startRedisServer();
  return { url: master.url, master, [Symbol.asyncDispose]: () => master.stop() };
}

/** The Sentinel declares a master dead after half a second, and promotes the replica. */
export async function startSentinelRedis(): Promise<RedisStage> {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-sentinel-'));
  const master = await startRedisServer();
  const replica = await startRedisServer(['--replicaof', '127.0.0.1', String(master.port)]);
  while (!String(await replica.call('INFO', 'replication')).includes('master_link_status:up')) await delay(50);
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor proxy 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds proxy 500',
    'sentinel failover-timeout proxy 5000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sentinel = await startRedisServer([file, '--sentinel'], port);
  // The Sentinel requests the list of replicas from the master, first every ten seconds.
  while (!String(await sentinel.call('SENTINEL', 'replicas', 'proxy')).includes(String(replica.port))) await delay(100);
  return {
    url: `redis+sentinel://127.0.0.1:${port}/proxy`,
    master,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([sentinel.stop(), master.stop(), replica.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
