// Lua scripts by their hash, so that a call carries forty characters instead of the script. A server that was
// restarted or flushed does not know the hash any more and is sent the script once.
import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient } from './redis-client.ts';

/** Runs the script for one key. Bulk replies come as Buffer, numbers as number. */
export type RedisScript = (client: RedisClient, key: string, args: readonly RedisArgument[]) => Promise<unknown>;

export function createRedisScript(lua: string): RedisScript {
  const sha = createHash('sha1').update(lua).digest('hex');
  return async (client, key, args) => {
    try {
      return await client.callBuffer('EVALSHA', [sha, 1, key, ...args]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.callBuffer('EVAL', [lua, 1, key, ...args]);
    }
  };
}
