// Invalid HTTP in the first response of a connection: its bytes must not be treated as an earlier response, so that
// DATABRAIN_MAX_RETRIES is never exceeded and the circuit counts the fault.
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { httpResponse, reset, tokenResponse, uuidOf, type Script } from '../support/servers/faulty-upstream.ts';
import { createPairs, outcomeOf, mintOnce } from '../support/servers/faulty-upstream-client.ts';

const { start, close } = createPairs();
afterEach(close);

const body = JSON.stringify({ token: uuidOf(1) });
const sends =
  (bytes: string): Script =>
  (_request, socket) =>
    void socket.write(bytes);
const ends =
  (bytes: string): Script =>
  (_request, socket) =>
    void socket.end(bytes);
const resets =
  (bytes: string): Script =>
  (_request, socket) =>
    void socket.write(bytes, () => setTimeout(() => reset(socket), 20));

const malformed: readonly (readonly [string, Script])[] = [
  [
    'two different Content-Length headers',
    sends(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n${body}`),
  ],
  [
    'two equal Content-Length headers',
    sends(`HTTP/1.1 200 OK\r\ncontent-length: 48\r\ncontent-length: 48\r\n\r\n${body}`),
  ],
  [
    'a Content-Length and chunks',
    sends('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
  ],
  [
    'chunks and a Content-Length',
    sends('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n'),
  ],
  ['101 Switching Protocols', sends('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')],
  ['100 Continue that was not requested', sends('HTTP/1.1 100 Continue\r\n\r\n')],
  ['an invalid status line', sends('HTTP/1.1 banana\r\n\r\n')],
  ['another protocol', sends('SSH-2.0-OpenSSH_9.9\r\n')],
  ['another version', sends(`HTTP/3.0 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)],
  ['a header without a colon', sends(`HTTP/1.1 200 OK\r\ncontent-length ${body.length}\r\n\r\n${body}`)],
  ['an invalid chunk size', sends('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')],
  ['headers without end', sends(`HTTP/1.1 200 OK\r\n${`x-pad: ${'p'.repeat(1000)}\r\n`.repeat(40)}`)],
];

const cutOff: readonly (readonly [string, Script])[] = [
  ['103 Early Hints and the end', ends('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')],
  ['an incomplete status line', ends('HTTP/1.1 20')],
  ['an incomplete status line and a reset', resets('HTTP/1.1 20')],
  ['an incomplete header', ends('HTTP/1.1 200 OK\r\ncontent-len')],
  ['an incomplete header and a reset', resets('HTTP/1.1 200 OK\r\ncontent-len')],
  ['headers and the end', ends('HTTP/1.1 200 OK\r\ncontent-length: 48\r\n\r\n')],
  ['an incomplete body', ends('HTTP/1.1 200 OK\r\ncontent-length: 48\r\n\r\n{"tok')],
  ['an incomplete body and a reset', resets('HTTP/1.1 200 OK\r\ncontent-length: 48\r\n\r\n{"tok')],
  [
    'an incomplete body of the last response of a connection',
    ends('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 48\r\n\r\n{"tok'),
  ],
  ['an incomplete chunk', ends('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n30\r\n{"tok')],
  [
    'an incomplete chunk of the last response of a connection',
    ends('HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n30\r\n{"tok'),
  ],
];

const invalid = 'UPSTREAM_INVALID_RESPONSE upstream_invalid_response';
const oneFailureOpens = {
  consecutiveFailures: 1,
  failureShare: 2,
  minimumCalls: 1,
  windowMs: 10_000,
  openMs: 10_000,
  maxOpenMs: 10_000,
};

describe('a response that is broken', () => {
  it.each([...malformed, ...cutOff])(
    'is invalid, and the call is sent once without retries: %s',
    async (_what, script) => {
      const { upstream, client } = await start(script, { maxRetries: 0, timeoutMs: 1000 });
      expect(outcomeOf(await mintOnce(client))).toBe(invalid);
      expect(upstream.seen).toHaveLength(1);
    },
  );

  it.each([...malformed, ...cutOff])('counts for the circuit: %s', async (_what, script) => {
    const { client } = await start(script, { maxRetries: 0, timeoutMs: 1000, limits: { circuit: oneFailureOpens } });
    await mintOnce(client);
    expect(client.circuitState()).toBe('open');
  });

  it.each(malformed)('is not retried, because a token may have been minted: %s', async (_what, script) => {
    const { upstream, client } = await start(script, { maxRetries: 2, timeoutMs: 1000 });
    expect(outcomeOf(await mintOnce(client))).toBe(invalid);
    expect(upstream.seen).toHaveLength(1);
    expect(client.calls.map(({ result }) => result)).toEqual(['answer_malformed']);
  });

  it.each(cutOff)('is retried as often as configured, over new connections: %s', async (_what, script) => {
    const { upstream, client } = await start(script, { maxRetries: 2, timeoutMs: 1000 });
    expect(outcomeOf(await mintOnce(client))).toBe(invalid);
    expect(upstream.seen).toHaveLength(3);
    expect(upstream.connections()).toBe(3);
    expect(client.calls.map(({ result }) => result)).toEqual(Array(3).fill('answer_cut_off'));
  });

  it.each([
    ...malformed.map(([what, script]) => [what, script, ['unexpectedResponse']] as const),
    ...cutOff.map(([what, script]) => [what, script, []] as const),
  ])('is handled in the same way on a reused connection: %s', async (_what, script, expected) => {
    const { upstream, client } = await start(
      (request, socket) =>
        request.onConnection === 0 ? void socket.write(tokenResponse(request.index)) : script(request, socket),
      { maxRetries: 0, timeoutMs: 1000, limits: { longRestMs: 5 } },
    );
    await mintOnce(client, 'first');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(outcomeOf(await mintOnce(client, 'second'))).toBe(invalid);
    expect(upstream.seen.map(({ onConnection }) => onConnection)).toEqual([0, 1]);
    // It may be the end of the response to the first call, so connections have the long rest from now on.
    expect(client.events.filter((event) => event === 'unexpectedResponse')).toEqual(expected);
  });
});

describe('a connection that ends without a response', () => {
  it('is replaced without a retry if it ends at once, because it was idle', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        if (request.onConnection > 0) reset(socket);
        else socket.write(tokenResponse(request.index));
      },
      { maxRetries: 0, limits: { longRestMs: 5 } },
    );
    await mintOnce(client, 'first');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(outcomeOf(await mintOnce(client, 'second'))).toBe(uuidOf(2));
    expect(upstream.seen).toHaveLength(3);
  });

  it('counts as a failure of the call if it ends later', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        if (request.onConnection > 0) setTimeout(() => reset(socket), 1100);
        else socket.write(tokenResponse(request.index));
      },
      { maxRetries: 0, timeoutMs: 3000, deadlineMs: 4000, limits: { longRestMs: 5 } },
    );
    await mintOnce(client, 'first');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(outcomeOf(await mintOnce(client, 'second'))).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    expect(upstream.seen).toHaveLength(2);
  });

  it('counts as a failure of the upstream on its first call', async () => {
    const { upstream, client } = await start((_request, socket) => reset(socket), { maxRetries: 0 });
    expect(outcomeOf(await mintOnce(client))).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    expect(upstream.seen).toHaveLength(1);
  });

  it('does not count as idle because of a response over an earlier connection', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        if (request.index === 0) socket.end(httpResponse(200, body, { connection: 'close' }));
        else reset(socket);
      },
      { maxRetries: 0, limits: { longRestMs: 5 } },
    );
    expect(outcomeOf(await mintOnce(client))).toBe(uuidOf(1));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(outcomeOf(await mintOnce(client))).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    expect(upstream.seen).toHaveLength(2);
  });

  it('does not count as idle if the call uses a new connection because the old one has just ended', async () => {
    const sockets: Socket[] = [];
    const { upstream, client } = await start(
      (request, socket) => {
        if (request.index === 0) socket.write(tokenResponse(1));
        else reset(socket);
      },
      { maxRetries: 0, limits: { longRestMs: 5 } },
      (socket) => sockets.push(socket),
    );
    await mintOnce(client, 'first');
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (const socket of sockets) socket.destroy();
    expect(outcomeOf(await mintOnce(client, 'second'))).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    expect(client.calls.map(({ result }) => result)).toEqual(['token', 'unreachable']);
    expect(upstream.seen).toHaveLength(2);
  });
});
