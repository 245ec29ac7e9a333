// One deadline for connection, headers and body.
import { afterEach, describe, expect, it } from 'vitest';
import { httpResponse, reset, tokenResponse, uuidOf, type Script } from '../support/servers/faulty-upstream.ts';
import {
  apiKeyText,
  createPairs,
  allOutput,
  outcomeOf,
  mintOnce,
  startClient,
} from '../support/servers/faulty-upstream-client.ts';

const timeoutMs = 200;
const deadlineMs = 700;
/** The delay that two shared cores may add. */
const slackMs = 400;

describe('one deadline for connect, headers and body', () => {
  const { start, close } = createPairs({ timeoutMs, deadlineMs });
  const every: NodeJS.Timeout[] = [];

  afterEach(async () => {
    for (const timer of every.splice(0)) clearInterval(timer);
    await close();
  });

  const again = (ms: number, action: () => void): void => void every.push(setInterval(action, ms));

  const slow: Readonly<Record<string, Script>> = {
    'reads the request and never answers': () => undefined,
    'sends the status line slowly': (_request, socket) => {
      const bytes = httpResponse(200, '{}').toString('latin1');
      let at = 0;
      again(50, () => socket.write(bytes.charAt(at++)));
    },
    'sends headers slowly without end': (_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      again(20, () => socket.write('x-more: 1\r\n'));
    },
    'sends the body slowly': (_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n');
      again(20, () => socket.write(' '));
    },
    'sends chunks slowly without end': (_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      again(20, () => socket.write('1\r\n \r\n'));
    },
    'stops in the middle of the body': (_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{"token":');
    },
    'sends 103 Early Hints without end': (_request, socket) => {
      again(5, () => socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'));
    },
    'sends 102 Processing as fast as it can': (_request, socket) => {
      again(1, () => socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(200)));
    },
  };

  it.each(Object.entries(slow))('ends a call to an upstream that %s', async (_what, script) => {
    const { upstream, client } = await start(script);
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_TIMEOUT upstream_timeout');
    expect(settled.ms).toBeGreaterThan(timeoutMs);
    expect(settled.ms).toBeLessThan(deadlineMs + slackMs);
    expect(client.calls.length).toBeGreaterThan(1);
    for (const { durationMs } of client.calls) expect(durationMs).toBeLessThan(timeoutMs + slackMs);
    expect(allOutput(client, settled)).not.toContain(apiKeyText);
    await expect.poll(() => upstream.openSockets(), { timeout: 2000 }).toBe(0);
  });

  it('ends a call to an upstream that accepts connections and reads nothing', async () => {
    const { upstream, client } = await start(
      () => undefined,
      {},
      (socket) => socket.pause(),
    );
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_TIMEOUT upstream_timeout');
    expect(settled.ms).toBeLessThan(deadlineMs + slackMs);
    expect(upstream.seen).toHaveLength(0);
  });

  it('ends a call whose connection is never established', async () => {
    // RFC 5737: an address without a host. Packets to it are lost, or the connection fails at once.
    const client = startClient('http://192.0.2.1', { timeoutMs, deadlineMs });
    const settled = await mintOnce(client);
    await client.close();
    expect(outcomeOf(settled)).toMatch(/^UPSTREAM_(?:TIMEOUT upstream_timeout|UNAVAILABLE upstream_unreachable)$/);
    expect(settled.ms).toBeLessThan(deadlineMs + slackMs);
  });

  it('gives a retry only the remaining time', async () => {
    const { client } = await start(() => undefined);
    await mintOnce(client);
    const [first, second, third, ...more] = client.calls.map(({ durationMs }) => durationMs);
    expect(more).toEqual([]);
    expect(first).toBeGreaterThan(timeoutMs - 20);
    expect(second).toBeGreaterThan(timeoutMs - 20);
    expect(third ?? 0).toBeLessThan(deadlineMs - 2 * timeoutMs + slackMs);
  });

  it('is enough for a later attempt if the first one hangs', async () => {
    const { upstream, client } = await start((request, socket) => {
      if (request.index > 0) socket.write(tokenResponse(1));
    });
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe(uuidOf(1));
    expect(upstream.seen.map(({ connection }) => connection)).toEqual([0, 1]);
    expect(settled.ms).toBeLessThan(timeoutMs + slackMs);
  });

  it('does not shorten the lifetime of a token, which starts with its own attempt', async () => {
    const { client } = await start((request, socket) => {
      if (request.index > 0) socket.write(tokenResponse(1));
    });
    const begin = performance.now();
    const settled = await mintOnce(client);
    expect('minted' in settled && settled.minted.sentAt - begin).toBeGreaterThan(timeoutMs - 20);
    expect('minted' in settled && settled.minted.lifetimeMs).toBe(60_000);
  });

  it('aborts the exchange that has timed out', async () => {
    const ended: boolean[] = [];
    const { client } = await start((_request, socket) => void socket.on('close', () => ended.push(true)));
    await mintOnce(client);
    await expect.poll(() => ended.length, { timeout: 2000 }).toBe(client.calls.length);
  });

  it('does not delay the report of a refused connection, whose error code is logged', async () => {
    const { upstream, client } = await start(() => undefined);
    await upstream.close();
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    expect('error' in settled && settled.error.detail.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(client.calls.map(({ errorCode }) => errorCode)).toEqual(Array(3).fill('ECONNREFUSED'));
    expect(settled.ms).toBeLessThan(slackMs);
  });

  it.each<[string, Script]>([
    ['before any header', (_request, socket) => reset(socket)],
    [
      'in the middle of the headers',
      (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\ncont', () => reset(socket)),
    ],
    [
      'after the headers',
      (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{"tok', () =>
          setTimeout(() => reset(socket), 20),
        ),
    ],
    ['by a plain close before any header', (_request, socket) => void socket.end()],
    [
      'by a plain close in the middle of the body',
      (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{"tok'),
    ],
    [
      'in the middle of the last response of a connection',
      (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 60\r\n\r\n{"tok'),
    ],
    [
      'in the middle of a chunk of the last response of a connection',
      (_request, socket) =>
        void socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab'),
    ],
  ])('allows another attempt over a new connection when one is lost %s', async (_what, script) => {
    const { upstream, client } = await start((request, socket) => {
      if (request.index < 2) script(request, socket);
      else socket.write(tokenResponse(7));
    });
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe(uuidOf(7));
    expect(new Set(upstream.seen.map(({ connection }) => connection)).size).toBe(3);
    expect(settled.ms).toBeLessThan(slackMs);
    expect(allOutput(client, settled)).not.toContain(apiKeyText);
  });

  it('ends in 503 when every connection is lost, without open sockets', async () => {
    const { upstream, client } = await start((_request, socket) => reset(socket));
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_UNAVAILABLE upstream_unreachable');
    await expect.poll(() => upstream.openSockets(), { timeout: 2000 }).toBe(0);
  });
});
