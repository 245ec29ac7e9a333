import { ServerResponse, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createClientConnections, type ConnectionBounds } from '../../../src/http/client-connections.ts';
import { createManualClock } from '../../support/manual-clock.ts';

/** Every connection comes from `address`, which the test may change; undefined: from a trusted proxy. */
function start(bounds: Partial<ConnectionBounds> = {}) {
  const clock = createManualClock();
  const closed: string[] = [];
  const caller: { address: string | undefined } = { address: 'a' };
  const connections = createClientConnections({
    bounds: { total: 100, perAddress: 100, unreadMs: 15_000, ...bounds },
    clock,
    addressKeyOf: () => caller.address,
    onClosed: (cause) => closed.push(cause),
  });
  const admit = (address: string | undefined = 'a') => {
    caller.address = address;
    const socket = new Socket();
    return { socket, connection: connections.admit(socket) };
  };
  const admitted = (address?: string) => {
    const { connection } = admit(address);
    if (connection === undefined) throw new Error('the connection was refused');
    return connection;
  };
  /** A connection whose response is written but not read. */
  const unread = (address?: string) => {
    const connection = admitted(address);
    connections.markBusy(connection);
    connection.current = new ServerResponse(new IncomingMessage(connection.socket));
    connection.current.end('text');
    return connection;
  };
  const proxied = () => {
    caller.address = undefined;
    return connections.admit(new Socket());
  };
  return { clock, closed, connections, admit, admitted, unread, proxied };
}

describe('the number of connections', () => {
  it('from one address is limited: the longest idle one is closed for a new one', () => {
    const { closed, connections, admitted } = start({ perAddress: 2 });
    const other = admitted('b');
    const first = admitted();
    const second = admitted();
    const third = admitted();
    expect(closed).toEqual(['address']);
    expect([first, second, third, other].map(({ socket }) => socket.destroyed)).toEqual([true, false, false, false]);
    expect(connections.of(first.socket)).toBeUndefined();
    expect(connections.of(third.socket)).toBe(third);
  });

  it('from one address is limited: without an idle one, the new one is closed', () => {
    const { closed, connections, admit, admitted } = start({ perAddress: 1 });
    connections.markBusy(admitted());
    const { socket, connection } = admit();
    expect([connection, socket.destroyed, closed]).toEqual([undefined, true, ['address']]);
    expect(admit('b').connection).toBeDefined();
  });

  it('in total is limited: the longest idle one of any address is closed for a new one', () => {
    const { closed, admitted } = start({ total: 2 });
    const first = admitted('a');
    const second = admitted('b');
    admitted('c');
    expect([closed, first.socket.destroyed, second.socket.destroyed]).toEqual([['total'], true, false]);
  });

  it('in total is limited: without an idle one, the new one is closed', () => {
    const { closed, connections, admit, admitted } = start({ total: 1 });
    connections.markBusy(admitted());
    expect([admit('b').connection, closed]).toEqual([undefined, ['total']]);
  });

  it('from a trusted proxy is limited only in total', () => {
    const { closed, proxied } = start({ perAddress: 1, total: 3 });
    for (let count = 0; count < 3; count += 1) expect(proxied()).toBeDefined();
    expect(closed).toEqual([]);
    proxied();
    expect(closed).toEqual(['total']);
  });

  it('decreases by one when a connection ends', () => {
    const { closed, connections, admitted } = start({ perAddress: 2 });
    const first = admitted();
    admitted();
    connections.forget(first);
    connections.forget(first);
    admitted();
    expect(closed).toEqual([]);
    admitted();
    expect(closed).toEqual(['address']);
  });

  it('is never reduced by closing a busy connection, which is idle after its response', () => {
    const { connections, admitted } = start({ perAddress: 2 });
    const first = admitted();
    const second = admitted();
    expect(first.waiting).toEqual([]);
    connections.markBusy(first);
    connections.markBusy(second);
    connections.markIdle(second);
    admitted();
    expect([first.socket.destroyed, second.socket.destroyed]).toEqual([false, true]);
  });

  it('does not include a connection that has already ended', () => {
    const { closed, connections, admitted } = start({ perAddress: 1 });
    const gone = admitted();
    connections.forget(gone);
    connections.markIdle(gone);
    const present = admitted();
    admitted();
    expect([present.socket.destroyed, closed]).toEqual([true, ['address']]);
  });
});

describe('an address that floods', () => {
  it.each(['pipelining', 'unread'] as const)('gets no connection after sixteen were closed for %s', (cause) => {
    const { clock, closed, connections, admit, admitted } = start();
    for (let count = 0; count < 15; count += 1) connections.close(admitted(), cause);
    connections.close(admitted(), cause);
    const { socket, connection } = admit();
    expect([connection, socket.destroyed, closed.at(-1)]).toEqual([undefined, true, 'offender']);
    expect(admit('b').connection).toBeDefined();
    clock.advance(9_999);
    expect(admit().connection).toBeUndefined();
    clock.advance(1);
    expect(admit().connection).toBeDefined();
  });

  it('is counted anew ten seconds after the first closed connection', () => {
    const { clock, connections, admit, admitted } = start();
    for (let count = 0; count < 15; count += 1) connections.close(admitted(), 'pipelining');
    clock.advance(10_000);
    connections.close(admitted(), 'pipelining');
    expect(admit().connection).toBeDefined();
  });

  it('is refused again if it floods again', () => {
    const { clock, connections, admit, admitted } = start();
    for (let round = 0; round < 2; round += 1) {
      for (let count = 0; count < 16; count += 1) connections.close(admitted(), 'pipelining');
      expect(admit().connection).toBeUndefined();
      clock.advance(10_000);
    }
    expect(admit().connection).toBeDefined();
  });

  it.each(['total', 'address'] as const)(
    'is not one whose idle connections are closed to accept new ones: %s',
    (cause) => {
      const { connections, admit, admitted } = start();
      for (let count = 0; count < 16; count += 1) connections.close(admitted(), cause);
      expect(admit().connection).toBeDefined();
    },
  );
});

describe('an unread response', () => {
  it('closes its connection after the time limit, measured from the write', () => {
    const { clock, closed, connections, unread } = start();
    const connection = unread();
    connections.closeUnread();
    clock.advance(14_999);
    connections.closeUnread();
    expect(closed).toEqual([]);
    clock.advance(1);
    connections.closeUnread();
    expect([closed, connection.socket.destroyed]).toEqual([['unread'], true]);
  });

  it('does not exist before the write, or without a request', () => {
    const { clock, closed, connections, admitted } = start();
    const busy = admitted();
    busy.current = new ServerResponse(new IncomingMessage(busy.socket));
    admitted();
    connections.closeUnread();
    clock.advance(60_000);
    connections.closeUnread();
    expect(closed).toEqual([]);
  });
});
