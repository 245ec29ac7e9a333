// TLS to servers with a self-signed certificate. The test of Sentinel has no server behind it, because the server's refusal
// would hide that Sentinel was accepted.
import { once } from 'node:events';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, expect, it, vi } from 'vitest';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { openRedisClient } from '../../../src/redis/redis-client.ts';
import { selfSigned } from '../../support/self-signed.ts';

afterEach(() => void vi.unstubAllEnvs());

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

it('a connection with two errors, its certificate and an invalid record, does not end the process', async () => {
  const server = createServer(selfSigned).on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  const serverPort = await listen(server);
  // A record of an unknown type, in one piece with the handshake of the server.
  const relay = createTcpServer((client) => {
    const behind = connect(serverPort, '127.0.0.1');
    for (const socket of [client, behind]) socket.on('error', () => undefined);
    client.pipe(behind);
    behind.once('data', (bytes) => client.write(Buffer.concat([bytes, Buffer.from('ff030300010000', 'hex')])));
    client.on('close', () => behind.destroy());
  });
  const client = await openRedisClient(parseRedisUrl(`rediss://127.0.0.1:${await listen(relay)}`), () => 0.5);
  const errors: unknown[] = [];
  client.onError((error) => errors.push(error));
  try {
    // The second error of a connection comes before the next connection.
    await vi.waitUntil(() => errors.length >= 2, 5_000);
    expect(client.isReady()).toBe(false);
  } finally {
    client.close();
    relay.close();
    server.close();
  }
});
