import type { RequestListener, Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import type { ConnectionBounds } from '../../../src/http/client-connections.ts';
import { createBoundedServer, type BoundedServerOptions } from '../../../src/http/bounded-server.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { openProbe } from '../../support/socket-probe.ts';
import { until } from '../../support/until.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Started {
  readonly server: Server;
  readonly port: number;
  readonly closed: string[];
}

async function start(
  handle: RequestListener,
  bounds: Partial<ConnectionBounds> = {},
  options: Partial<BoundedServerOptions> = {},
): Promise<Started> {
  const closed: string[] = [];
  const server = createBoundedServer(
    {
      bounds: { total: 10, perAddress: 10, unreadMs: 60_000, ...bounds },
      clock: systemClock,
      keepAliveTimeoutMs: 5_000,
      addressKeyOf: (peer) => peer,
      onConnectionClosed: (cause) => closed.push(cause),
      onProtocolError: () => true,
      refusalHeaders: () => ({}),
      onServerError: () => undefined,
      ...options,
    },
    handle,
  );
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, closed };
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a listener', () => {
  it('closes a connection whose response is not read in time, and no other connection', async () => {
    const { port, closed } = await start(
      (request, response) => void response.end(request.url === '/large' ? Buffer.alloc(64 * 1024 * 1024) : 'small'),
      { unreadMs: 1_500 },
    );
    const unread = await openProbe(port);
    unread.socket.pause();
    unread.socket.write(get.replace('/', '/large'));
    const reader = await openProbe(port, get.replace('/', '/large'));
    const idle = await openProbe(port, get);
    await until(() => reader.received().length > 64 * 1024 * 1024, 30_000);
    await until(() => closed.length > 0, 10_000);
    expect(closed).toEqual(['unread']);
    expect(reader.socket.destroyed).toBe(false);
    expect(idle.received()).toContain('small');
    for (const { socket } of [unread, reader, idle]) socket.destroy();
  }, 60_000);

  it('stops reading a connection that has sent too many requests at once, and handles none of them', async () => {
    let begun = 0;
    const { port, closed } = await start(() => void (begun += 1));
    const probe = await openProbe(port, get.repeat(2_000));
    await probe.ended;
    expect(closed).toEqual(['pipelining']);
    expect(begun).toBe(0);
    probe.socket.destroy();
  });

  it('refuses new connections of an address that floods it for ten seconds, but accepts those of others', async () => {
    const clock = createManualClock();
    const { port, closed } = await start((_request, response) => void response.end('fine'), { total: 100 }, { clock });
    for (let count = 0; count < 16; count += 1) await (await openProbe(port, get.repeat(2_000))).ended;
    expect(closed).toEqual(Array(16).fill('pipelining'));
    const refused = await openProbe(port, get);
    await refused.ended;
    expect(refused.received()).toBe('');
    expect(closed.at(-1)).toBe('offender');
    const other = await openProbe(port, get, '127.0.0.2');
    await until(() => other.received().includes('fine'));
    clock.advance(9_999);
    await (
      await openProbe(port, get)
    ).ended;
    expect(closed.slice(-2)).toEqual(['offender', 'offender']);
    clock.advance(1);
    const later = await openProbe(port, get);
    await until(() => later.received().includes('fine'));
    for (const { socket } of [other, later]) socket.destroy();
  });

  it('does not block a trusted proxy after a flood, because it has many clients', async () => {
    const { port, closed } = await start(
      (_request, response) => void response.end('fine'),
      { total: 100 },
      {
        addressKeyOf: () => undefined,
      },
    );
    for (let count = 0; count < 17; count += 1) await (await openProbe(port, get.repeat(2_000))).ended;
    expect(closed).toEqual(Array(17).fill('pipelining'));
  });

  it('limits unanswered requests even on a runtime whose parser cannot be stopped', async () => {
    let begun = 0;
    const { server, port, closed } = await start(() => void (begun += 1));
    // The listener of node:http runs first, then the one under test; this hides the parser from it.
    const [nodes, ours] = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: { parser?: unknown }) => {
      nodes?.call(server, socket);
      const { parser } = socket;
      socket.parser = undefined;
      ours?.call(server, socket);
      socket.parser = parser;
    });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(get.repeat(50));
    await ended;
    expect(closed).toContain('pipelining');
    expect(begun).toBe(0);
  });

  it('ignores socket errors of clients that reset a connection during a response', async () => {
    const { port } = await start((_request, response) => {
      response.write('a');
      setTimeout(() => response.end(Buffer.alloc(1024 * 1024)), 20);
    });
    for (let index = 0; index < 20; index += 1) {
      const probe = await openProbe(port, get);
      await until(() => probe.received().includes('HTTP/1.1'));
      probe.socket.resetAndDestroy();
    }
    const probe = await openProbe(port, get);
    await until(() => probe.received().length > 1024 * 1024);
    probe.socket.destroy();
  });

  it('reports an error of the listening socket and continues', async () => {
    const errors: string[] = [];
    const { server, port } = await start(
      (_request, response) => void response.end('x'),
      {},
      {
        onServerError: (code) => errors.push(code),
      },
    );
    server.emit('error', Object.assign(new Error('accept'), { code: 'EMFILE' }));
    expect(errors).toEqual(['EMFILE']);
    const probe = await openProbe(port, get);
    await until(() => probe.received().includes('200'));
    probe.socket.destroy();
  });

  it('refuses a connection while all others are busy, and accepts one again when one is idle', async () => {
    let begun = 0;
    const accepted: Socket[] = [];
    const { server, port, closed } = await start(() => void (begun += 1), { total: 2 });
    server.on('connection', (socket) => accepted.push(socket));
    const busy = [await openProbe(port, get), await openProbe(port, get)];
    await until(() => begun === 2);
    const refused = await openProbe(port, get);
    await refused.ended;
    expect(closed).toEqual(['total']);
    busy[0]?.socket.destroy();
    // The refused one and the destroyed one.
    await until(() => accepted.filter((socket) => socket.closed).length === 2);
    const next = await openProbe(port, get);
    await until(() => begun === 3);
    expect(next.socket.destroyed).toBe(false);
    expect(closed).toEqual(['total']);
    for (const { socket } of [...busy, refused, next]) socket.destroy();
  });

  it('sends no response to an address whose protocol errors exceed the limit', async () => {
    const { port } = await start(() => undefined, {}, { onProtocolError: () => false });
    const probe = await openProbe(port, 'nonsense\r\n\r\n');
    await probe.ended;
    expect(probe.received()).toBe('');
    probe.socket.destroy();
  });
});
