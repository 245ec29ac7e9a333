// The number of connections, when each is used again, and the checks of TLS and connecting.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { httpResponse, reset, tokenResponse, uuidOf, type Script } from '../support/servers/faulty-upstream.ts';
import {
  createPairs,
  outcomeOf,
  mintOnce,
  opensAtOnce,
  startClient,
  type ClientRecord,
} from '../support/servers/faulty-upstream-client.ts';
import { selfSigned } from '../support/self-signed.ts';

const { start, close } = createPairs({ timeoutMs: 3000, deadlineMs: 8000 });
const closing: (() => unknown)[] = [];

afterEach(async () => {
  await close();
  for (const end of closing.splice(0)) await end();
});

/** A client for a server that is not the faulty upstream. */
function clientOf(port: number, options: Parameters<typeof startClient>[1]): ClientRecord {
  const client = startClient(`https://localhost:${port}`, options);
  closing.unshift(() => client.close());
  return client;
}
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const afterMs =
  (ms: number): Script =>
  (request, socket) =>
    void setTimeout(() => socket.write(tokenResponse(request.index)), ms);

describe('The connections', () => {
  it('are as many as concurrent calls, in a burst of five hundred users', async () => {
    const { upstream, client } = await start(afterMs(30));
    const settled = await Promise.all(times(500, (i) => mintOnce(client, `user-${i}`)));
    expect(settled.filter((one) => 'error' in one)).toEqual([]);
    expect(upstream.connections()).toBeLessThanOrEqual(140);
  });

  it('rest for a long time while there are few, and the one that rested longest is used first', async () => {
    const { upstream, client } = await start((request, socket) => void socket.write(tokenResponse(request.index)), {
      limits: { longRestMs: 600 },
    });
    await mintOnce(client, 'a');
    await sleep(200);
    await mintOnce(client, 'b');
    await mintOnce(client, 'c');
    expect(upstream.seen.map(({ connection }) => connection)).toEqual([0, 1, 2]);
    await sleep(610);
    await mintOnce(client, 'd');
    expect(upstream.seen[3]?.connection).toBe(0);
  });

  it('do not rest while this process is paused', async () => {
    const { client } = await start((request, socket) => {
      socket.write(tokenResponse(request.index));
      setTimeout(() => socket.write(tokenResponse(666)), 20);
    });
    for (let user = 0; user < 5; user += 1) {
      const before = performance.now();
      expect(outcomeOf(await mintOnce(client, `user-${user}`))).toBe(uuidOf(user));
      while (performance.now() - before < 120);
    }
  });

  it('all have the long rest after an unexpected response, which is logged once', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        socket.write(tokenResponse(request.index));
        if (request.index < 2) socket.write(tokenResponse(666));
      },
      { limits: { maxConcurrent: 2, connectionsBeforeShortRest: 2, longRestMs: 1000 } },
    );
    await mintOnce(client, 'first');
    await sleep(20);
    expect(client.events).toEqual(['unexpectedResponse']);
    for (let i = 0; i < 10; i += 1) await mintOnce(client, `user-${i}`);
    await sleep(20);
    expect(upstream.seen.map(({ onConnection }) => onConnection)).toEqual(Array(11).fill(0));
    expect(client.events).toEqual(['unexpectedResponse']);
  });

  it('have the short rest again some time after the last unexpected response', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        socket.write(tokenResponse(request.index));
        if (request.index === 0) socket.write('junk');
      },
      { limits: { maxConcurrent: 2, connectionsBeforeShortRest: 2, longRestMs: 1000, distrustMs: 50 } },
    );
    await mintOnce(client, 'first');
    await sleep(100);
    for (let i = 0; i < 4; i += 1) await mintOnce(client, `user-${i}`);
    expect(upstream.connections()).toBe(3);
  });

  it('never exceed the maximum, even while all of them rest', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        socket.write(tokenResponse(request.index));
        if (request.index === 0) socket.write(tokenResponse(666));
      },
      { limits: { maxConcurrent: 4, connectionsBeforeShortRest: 4, maxConnections: 8, longRestMs: 100 } },
    );
    await mintOnce(client, 'first');
    await sleep(20);
    const settled = await Promise.all(times(40, (i) => mintOnce(client, `user-${i}`)));
    expect(settled.filter((one) => 'error' in one)).toEqual([]);
    expect(upstream.connections()).toBeLessThanOrEqual(9);
    expect(upstream.openSockets()).toBeLessThanOrEqual(8);
  });

  it('are closed one by one while fewer are needed', async () => {
    const { upstream, client } = await start(afterMs(20), { limits: { keepAliveMs: 60_000 } });
    await Promise.all(times(50, (i) => mintOnce(client, `user-${i}`)));
    expect(upstream.openSockets()).toBe(50);
    await sleep(600);
    const before = performance.now();
    while (performance.now() - before < 1500) await mintOnce(client, `user-${performance.now()}`);
    expect(upstream.openSockets()).toBeLessThan(42);
  });

  it('are closed after a failed call, and the next attempt uses a new one', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        if (request.index === 0) reset(socket);
        else socket.write(tokenResponse(request.index));
      },
      { maxRetries: 1 },
    );
    await mintOnce(client);
    expect(upstream.connections()).toBe(2);
    await expect.poll(() => upstream.openSockets()).toBe(1);
  });

  it('free their place after a failed call', async () => {
    const { client } = await start(
      (request, socket) => {
        if (request.index < 6) reset(socket);
        else socket.write(tokenResponse(request.index));
      },
      { maxRetries: 0, limits: { maxConnections: 2, connectionsBeforeShortRest: 2 } },
    );
    for (let i = 0; i < 6; i += 1) {
      expect(outcomeOf(await mintOnce(client, `user-${i}`))).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    }
    expect(outcomeOf(await mintOnce(client, 'last'))).toBe(uuidOf(6));
  });

  it('are closed after an aborted call, even while they are opened', async () => {
    const sockets = new Set<Socket>();
    // Reads and does not answer: the TLS handshake never ends.
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.resume();
      socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    });
    const port = await listen(server);
    const client = clientOf(port, { timeoutMs: 150, deadlineMs: 1000, maxRetries: 0 });
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_TIMEOUT upstream_timeout');
    expect(settled.ms).toBeLessThan(600);
    await expect.poll(() => sockets.size, { timeout: 2000 }).toBe(0);
  });
});

describe('a client that is closed', () => {
  it('does not count a running call as a failure', async () => {
    const { client } = await start(() => undefined, {
      limits: {
        circuit: opensAtOnce,
      },
    });
    const running = mintOnce(client);
    await sleep(30);
    await client.close();
    expect(outcomeOf(await running)).toBe('SHUTTING_DOWN shutting_down');
    expect(client.circuitState()).toBe('closed');
    expect(client.events).toEqual([]);
    expect(client.calls).toEqual([]);
  });

  it('refuses a call that waits for a resting connection', async () => {
    const { client } = await start((request, socket) => void socket.write(tokenResponse(request.index)), {
      limits: { connectionsBeforeShortRest: 1, shortRestMs: 60_000, longRestMs: 60_000 },
    });
    await mintOnce(client, 'first');
    const waiting = mintOnce(client, 'second');
    await sleep(30);
    await client.close();
    const settled = await waiting;
    expect(outcomeOf(settled)).toBe('SHUTTING_DOWN shutting_down');
    expect(settled.ms).toBeLessThan(2000);
  });

  it('refuses calls that wait in the queue, for a connection or for their start, and opens no connection', async () => {
    const { upstream, client } = await start(() => undefined, { limits: { maxConcurrent: 2 } });
    const running = times(6, (i) => mintOnce(client, `user-${i}`));
    await sleep(30);
    await client.close();
    const settled = await Promise.all([...running, mintOnce(client, 'late')]);
    expect(settled.map(outcomeOf)).toEqual(Array(7).fill('SHUTTING_DOWN shutting_down'));
    await sleep(30);
    expect(upstream.connections()).toBe(2);
    expect(upstream.openSockets()).toBe(0);
  });
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('over TLS', () => {
  it('uses HTTP/1.1 with an upstream that prefers HTTP/2', async () => {
    const offered: (string | false | null)[] = [];
    const server = createTlsServer({
      ...selfSigned,
      ALPNCallback: ({ protocols }) => {
        offered.push(protocols.join());
        return protocols[0];
      },
    });
    const port = await listen(server);
    await mintOnce(clientOf(port, { maxRetries: 0 }));
    expect(offered).toEqual(['http/1.1']);
  });

  it('refuses an untrusted certificate, even if the environment disables the verification', async () => {
    const requests: string[] = [];
    const tls = createTlsServer({ ...selfSigned }, (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        requests.push(chunk.toString('latin1'));
        socket.write(httpResponse(200, JSON.stringify({ token: uuidOf(1) })));
      });
    });
    tls.on('tlsClientError', () => undefined);
    const port = await listen(tls);
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    const client = clientOf(port, { maxRetries: 0 });
    try {
      expect(outcomeOf(await mintOnce(client))).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
    expect(client.calls.map(({ errorCode }) => errorCode)).toEqual(['DEPTH_ZERO_SELF_SIGNED_CERT']);
    expect(requests).toEqual([]);
  });
});
