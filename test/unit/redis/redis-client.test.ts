// TLS to servers with a self-signed certificate. The test of Sentinel has no server behind it, because the server's
// refusal would hide that Sentinel was accepted.
import { once } from 'node:events';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { openRedisClient } from '../../../src/redis/redis-client.ts';
import { connectRedis, redisDown } from '../../../src/redis/redis-link.ts';
import { selfSigned } from '../../support/self-signed.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

it.each([undefined, '0'])(
  'a Sentinel with a self-signed certificate receives nothing, with NODE_TLS_REJECT_UNAUTHORIZED=%s',
  async (setting) => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', setting);
    const received: Buffer[] = [];
    const server = createServer(selfSigned);
    const ended = new Promise<void>((resolve) => {
      server.on('tlsClientError', () => resolve());
      server.on('secureConnection', (socket) => {
        socket.on('error', () => undefined).on('close', () => resolve());
        socket.on('data', (data: Buffer) => {
          received.push(data);
          resolve();
        });
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const address = parseRedisUrl(`rediss+sentinel://127.0.0.1:${port}/mymaster?sentinelPassword=of-the-sentinel`);
    const client = await openRedisClient(address, () => 0.5);
    client.onError(() => undefined);
    try {
      await ended;
      expect(Buffer.concat(received).toString()).toBe('');
    } finally {
      client.close();
      server.close();
    }
  },
);

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

/** Relays to a TLS server, and sends a record of an unknown type, in one piece with the handshake of the server. */
async function startFaultyServer() {
  const server = createServer(selfSigned).on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  const serverPort = await listen(server);
  let connections = 0;
  const relay = createTcpServer((client) => {
    connections += 1;
    const behind = connect(serverPort, '127.0.0.1');
    for (const socket of [client, behind]) socket.on('error', () => undefined);
    client.pipe(behind);
    behind.once('data', (bytes) => client.write(Buffer.concat([bytes, Buffer.from('ff030300010000', 'hex')])));
    client.on('close', () => behind.destroy());
  });
  const close = (): void => {
    relay.close();
    server.close();
  };
  return { port: await listen(relay), connections: () => connections, close };
}

describe('a connection with two errors, its certificate and an invalid record, does not end the process', () => {
  it.each([
    ['to a server', 'rediss', ''],
    ['to a Sentinel', 'rediss+sentinel', '/mymaster'],
    ['to a cluster', 'rediss+cluster', ''],
  ])('%s', async (_to, scheme, path) => {
    const faulty = await startFaultyServer();
    const address = parseRedisUrl(`${scheme}://127.0.0.1:${faulty.port}${path}`);
    let signals = 0;
    const construct = (target: typeof AbortController): AbortController => {
      signals += 1;
      return new target();
    };
    vi.stubGlobal('AbortController', new Proxy(AbortController, { construct }));
    const states: string[] = [];
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', onUncaught);
    const events = { onRedisState: (state: string) => states.push(state), onRedisCause: () => undefined };
    const link = await connectRedis({ address, clock: systemClock, random: () => 0.5, events });
    try {
      // Both errors of a connection come before the next connection.
      await vi.waitUntil(() => faulty.connections() >= 3, 5_000);
      expect(uncaught).toEqual([]);
      // A signal that several connections share would keep the closed ones in memory.
      expect(signals).toBeGreaterThanOrEqual(faulty.connections());
      expect(states).toEqual(['down']);
      expect(link.isUp()).toBe(false);
      expect(await link.run((client) => client.call('PING', []))).toBe(redisDown);
    } finally {
      link.close();
      faulty.close();
      process.off('uncaughtException', onUncaught);
    }
  });
});
