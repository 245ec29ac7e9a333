// A link to a Redis that only runs scripts, with the replies that the test gives.
import type { RedisClient } from '../../../src/redis/redis-client.ts';
import type { RedisLink } from '../../../src/redis/redis-link.ts';

export function createScriptedRedisLink(run: RedisClient['run']): RedisLink {
  const client: RedisClient = {
    isReady: () => true,
    call: () => Promise.reject(new Error('not scripted')),
    run,
    onReady: () => undefined,
    onError: () => undefined,
    onClose: () => undefined,
    reconnect: () => undefined,
    close: () => undefined,
  };
  return {
    isUp: () => true,
    whenKnown: async () => undefined,
    run: (call) => call(client),
    runAnyway: (call) => call(client),
    close: () => undefined,
  };
}
