// TLS to Sentinel, with a Sentinel that has a certificate that nobody signed. The server behind it has no part in this:
// its own refusal would hide that Sentinel was believed.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, expect, it, vi } from 'vitest';
import { parseRedisUrl } from '../../../src/redis/redis-address.ts';
import { openRedisClient } from '../../../src/redis/redis-client.ts';
import { selfSigned } from '../../support/self-signed.ts';

afterEach(() => void vi.unstubAllEnvs());

it.each([undefined, '0'])(
  'a Sentinel with an unsigned certificate is sent nothing, with NODE_TLS_REJECT_UNAUTHORIZED=%s',
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
