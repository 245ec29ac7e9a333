// One Redis server for the tests of a block, empty for each of them. Apart from redis-server.ts, which runs without
// vitest too.
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { RedisLink } from '../../../src/redis/redis-link.ts';
import { startRedisServer, type RedisServer } from './redis-server.ts';

/** Restarts the server after each test, and closes the links to it that the test added to the list. */
export function oneRedisServer(onStart: (server: RedisServer) => void): RedisLink[] {
  const links: RedisLink[] = [];
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
    onStart(server);
  });
  afterEach(async () => {
    for (const link of links.splice(0)) link.close();
    await server.restart();
  });
  afterAll(() => server.stop());
  return links;
}
