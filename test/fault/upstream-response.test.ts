// How a response is parsed, that no response ends the process, and that nothing of it is passed on.
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  httpResponse,
  errorResponse,
  startFaultyUpstream,
  tokenResponse,
  uuidOf,
  type FaultyUpstream,
  type Script,
} from '../support/servers/faulty-upstream.ts';
import {
  apiKeyText,
  allOutput,
  outcomeOf,
  mintOnce,
  neverOpens,
  startClient,
  type ClientRecord,
} from '../support/servers/faulty-upstream-client.ts';

const token = uuidOf(1);
const good = JSON.stringify({ token });
const unusable = 'UPSTREAM_INVALID_RESPONSE upstream_invalid_response';
const tooLarge = 'UPSTREAM_INVALID_RESPONSE upstream_too_large';
const rejected = 'UPSTREAM_REJECTED upstream_rejected';
const keyRefused = 'UPSTREAM_REJECTED upstream_key_refused';
const failed = 'UPSTREAM_UNAVAILABLE upstream_error';
/** A sentence that must not appear anywhere, with the key, which an upstream may repeat. */
const upstreamText = `Bearer ${apiKeyText} is a fine key`;

let upstream: FaultyUpstream;
let client: ClientRecord;
let script: Script = () => undefined;

beforeAll(async () => {
  upstream = await startFaultyUpstream((request, socket) => script(request, socket));
});
afterAll(() => upstream.close());

/** One mint by a separate client, so that retries and circuits of other cases have no effect. */
async function mintFrom(next: Script) {
  script = next;
  client = startClient(upstream.baseUrl, { timeoutMs: 1000, deadlineMs: 2500, maxRetries: 0 });
  const settled = await mintOnce(client);
  await client.close();
  return settled;
}
const sends =
  (bytes: Buffer | string): Script =>
  (_request, socket) =>
    void socket.write(bytes);

describe('the response must be 200 and JSON, without an error, with a token that is exactly a UUID', () => {
  const json = (value: unknown) => httpResponse(200, JSON.stringify(value));
  const cases: readonly (readonly [string, Buffer | string, string])[] = [
    ['an empty body', httpResponse(200), unusable],
    [
      'HTML, as a wrong address gives',
      httpResponse(200, `<!doctype html><p>${token}`, { 'content-type': 'text/html' }),
      unusable,
    ],
    ['truncated JSON', httpResponse(200, good.slice(0, -1)), unusable],
    ['JSON with other text after it', httpResponse(200, `${good}}`), unusable],
    ['two JSON objects', httpResponse(200, good + good), unusable],
    ['a bare string', json(token), unusable],
    ['a list', json([{ token }]), unusable],
    ['null', json(null), unusable],
    ['a number', json(42), unusable],
    ['no token', json({}), unusable],
    ['a token in another member', json({ data: { token } }), unusable],
    ['a token that is an object', json({ token: { token } }), unusable],
    ['a token in a list', json({ token: [token] }), unusable],
    ['a token under __proto__', httpResponse(200, `{"__proto__":{"token":"${token}"}}`), unusable],
    ['a token that is not a UUID', json({ token: 'hello' }), unusable],
    ['a UUID with white space', json({ token: ` ${token}` }), unusable],
    ['a UUID and a line feed', json({ token: `${token}\n` }), unusable],
    ['a UUID in braces', json({ token: `{${token}}` }), unusable],
    ['a UUID that is too long', json({ token: `${token}0` }), unusable],
    ['a UUID with a letter beyond f', json({ token: token.replace('0', 'g') }), unusable],
    ['script in the token', json({ token: '<script>alert(1)</script>' }), unusable],
    ['a token and an error object', json({ token, error: { code: 'SOMETHING_NEW' } }), unusable],
    ['a token and an empty error', json({ token, error: {} }), unusable],
    ['a token and an error that is false', json({ token, error: false }), unusable],
    ['a token and an empty error string', json({ token, error: '' }), unusable],
    ['a token and a documented error', json({ token, error: { code: 'CLIENT_ID_ERROR' } }), rejected],
    ['a token and a refused key', json({ token, error: { code: 'AUTHENTICATION_ERROR' } }), keyRefused],
    ['a token and an internal error', json({ token, error: { code: 'INTERNAL_SERVER_ERROR' } }), failed],
    [
      'text that is not UTF-8',
      httpResponse(200, Buffer.from(`{"token":"${token}","name":"\u00ff"}`, 'latin1')),
      unusable,
    ],
    ['201', httpResponse(201, good), unusable],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', unusable],
    ['206', httpResponse(206, good), unusable],
    ['gzip that was not requested', httpResponse(200, gzipSync(good), { 'content-encoding': 'gzip' }), unusable],
    [
      'brotli that was not requested',
      httpResponse(200, brotliCompressSync(good), { 'content-encoding': 'br' }),
      unusable,
    ],
    ['a gzip bomb', httpResponse(200, gzipSync(Buffer.alloc(40_000_000)), { 'content-encoding': 'gzip' }), unusable],
    ['headers without end', `HTTP/1.1 200 OK\r\n${`x-pad: ${'p'.repeat(1000)}\r\n`.repeat(40)}`, unusable],
    ['bytes that are not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', unusable],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n', unusable],
    [
      'two Content-Length headers',
      `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n${good}`,
      unusable,
    ],
    [
      'Content-Length and chunks',
      `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      unusable,
    ],
    ['an invalid chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', unusable],
    ['64 KiB and one byte', httpResponse(200, good.padEnd(64 * 1024 + 1)), tooLarge],
    ['64 KiB and one byte of an error', httpResponse(400, good.padEnd(64 * 1024 + 1)), tooLarge],
  ];

  it.each(cases)('refuses %s', async (_what, bytes, expected) => {
    const settled = await mintFrom(sends(bytes));
    expect(outcomeOf(settled)).toBe(expected);
    expect(settled.ms).toBeLessThan(900);
    expect(allOutput(client, settled)).not.toContain(token);
  });

  it.each<[string, Buffer | string]>([
    ['a null error', json({ token, error: null })],
    ['upper case', json({ token: token.toUpperCase() })],
    ['further members', json({ token, expires: 'never' })],
    ['JSON that a gateway calls text/plain', httpResponse(200, good, { 'content-type': 'text/plain' })],
    ['JSON without a Content-Type', httpResponse(200, good, {})],
    ['the identity encoding', httpResponse(200, good, { 'content-encoding': 'identity' })],
    [
      'chunks',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`,
    ],
    [
      'early hints before it',
      Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n'), httpResponse(200, good)]),
    ],
    ['exactly 64 KiB', httpResponse(200, good.padEnd(64 * 1024))],
  ])('accepts a token in a response with %s', async (_what, bytes) => {
    const settled = await mintFrom(sends(bytes));
    expect(outcomeOf(settled).toLowerCase()).toBe(token);
  });

  it('requests no compression, and sends the key and the body to the configured URL', async () => {
    await mintFrom(sends(tokenResponse(1)));
    const request = upstream.seen.at(-1);
    expect(request?.method).toBe('POST');
    expect(request?.path).toBe('/api/v2/guest-token/create');
    expect([...(request?.headers.keys() ?? [])].sort()).toEqual([
      'accept',
      'accept-encoding',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ]);
    expect(request?.headers.get('authorization')).toBe(`Bearer ${apiKeyText}`);
    expect(request?.headers.get('accept-encoding')).toBe('identity');
    expect(request?.body).toBe('{"clientId":"acme","dataAppName":"sales-dashboard","expiryTime":60000}');
  });

  it('keeps the path prefix of a self-hosted upstream', async () => {
    script = sends(tokenResponse(1));
    for (const suffix of ['/databrain', '/databrain/', '/a/b//']) {
      const prefixed = startClient(upstream.baseUrl + suffix);
      await mintOnce(prefixed);
      await prefixed.close();
    }
    expect(upstream.seen.slice(-3).map(({ path }) => path)).toEqual([
      '/databrain/api/v2/guest-token/create',
      '/databrain/api/v2/guest-token/create',
      '/a/b/api/v2/guest-token/create',
    ]);
  });

  it.each([
    ['with a length', 'content-length: 52428800'],
    ['in chunks', 'transfer-encoding: chunked'],
    ['until the connection closes', 'connection: close'],
  ])('does not read all of 50 MB sent %s', async (_how, header) => {
    const megabyte = Buffer.alloc(1024 * 1024, 0x20);
    const chunk = header.includes('chunked')
      ? Buffer.concat([Buffer.from(`${megabyte.length.toString(16)}\r\n`), megabyte, Buffer.from('\r\n')])
      : megabyte;
    let flushed = 0;
    const settled = await mintFrom((_request, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`);
      const more = (): void =>
        void socket.write(chunk, (error) => {
          if (error) return;
          flushed += 1;
          if (flushed < 50) more();
        });
      more();
    });
    await sleep(50);
    expect(outcomeOf(settled)).toBe(tooLarge);
    expect(settled.ms).toBeLessThan(900);
    // The kernel's buffers on both sides take a part, and the rest is not sent.
    expect(flushed).toBeLessThan(16);
  });
});

describe('no response ends the process or leaks memory', () => {
  it('survives a thousand unexpected responses without leaking sockets or memory', async () => {
    const odd: readonly Script[] = [
      sends(httpResponse(200, 'x'.repeat(70_000))),
      sends(httpResponse(302, 'y'.repeat(1000), { location: 'http://127.0.0.1:1/' })),
      sends(errorResponse(400, 'CLIENT_ID_ERROR')),
      sends(errorResponse(500, 'INTERNAL_SERVER_ERROR')),
      sends('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345678901234567890'),
      (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{', () => socket.resetAndDestroy()),
      (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab'),
      sends('garbage\r\n\r\n'),
      (_request, socket) => void socket.end(),
      sends(tokenResponse(1)),
    ];
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    process.on('uncaughtException', onUnhandled);
    script = (request, socket) => odd[request.index % odd.length]?.(request, socket);
    const socketsBefore = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const many = startClient(upstream.baseUrl, {
      maxRetries: 0,
      limits: {
        circuit: neverOpens,
      },
    });

    const round = async (): Promise<number> => {
      for (let batch = 0; batch < 25; batch += 1) await Promise.all(Array.from({ length: 20 }, () => mintOnce(many)));
      await sleep(50);
      return process.memoryUsage().heapUsed + process.memoryUsage().external;
    };
    const afterFirst = await round();
    const afterSecond = await round();
    await many.close();
    process.off('unhandledRejection', onUnhandled);
    process.off('uncaughtException', onUnhandled);

    expect(unhandled).toEqual([]);
    expect(many.calls.length).toBeGreaterThanOrEqual(1000);
    expect(new Set(many.calls.map(({ result }) => result))).toContain('token');
    expect(afterSecond - afterFirst).toBeLessThan(40 * 1024 * 1024);
    await expect.poll(() => upstream.openSockets(), { timeout: 2000 }).toBe(0);
    await expect
      .poll(() => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length, { timeout: 2000 })
      .toBeLessThanOrEqual(socketsBefore);
  });
});

describe("The upstream's text, headers, cookies and status are not passed on", () => {
  it.each<[string, Buffer]>([
    [
      'an error object',
      httpResponse(400, JSON.stringify({ error: { code: 'CLIENT_ID_ERROR', message: upstreamText, status: 418 } })),
    ],
    ['an error text', httpResponse(401, JSON.stringify({ error: upstreamText }))],
    ['an unknown code', httpResponse(400, JSON.stringify({ error: { code: upstreamText, message: upstreamText } }))],
    [
      'an object as code',
      httpResponse(400, JSON.stringify({ error: { code: { toString: upstreamText }, message: [upstreamText] } })),
    ],
    ['HTML', httpResponse(500, `<h1>${upstreamText}</h1>`, { 'content-type': 'text/html' })],
    [
      'headers',
      httpResponse(403, '', {
        'set-cookie': upstreamText,
        'x-gossip': upstreamText,
        'www-authenticate': upstreamText,
        'retry-after': upstreamText,
      }),
    ],
    ['the reason phrase', Buffer.from(`HTTP/1.1 500 ${upstreamText}\r\ncontent-length: 0\r\n\r\n`)],
    ['text that is not HTTP', Buffer.from(`${upstreamText}\r\n\r\n`)],
  ])('does not pass on %s', async (_where, bytes) => {
    const settled = await mintFrom(sends(bytes));
    expect(outcomeOf(settled)).toMatch(/^UPSTREAM_/);
    expect(allOutput(client, settled)).not.toMatch(/fine key|7e57ab1e|(?<![\d.])418(?![\d.])/);
  });

  it.each<[number, string, string]>([
    [401, 'AUTHENTICATION_ERROR', keyRefused],
    [400, 'AUTHENTICATION_ERROR', keyRefused],
    [401, 'AUTHENTICATION_ERR', keyRefused],
    [401, 'EXPIRED_TOKEN', keyRefused],
    [400, 'INVALID_REQUEST_BODY', rejected],
    [400, 'CLIENT_ID_ERROR', rejected],
    [400, 'DASHBOARD_PARAM_ERROR', rejected],
    [400, 'APP_FILTER_PARAM_ERROR', rejected],
    [400, 'RLS_SETTINGS_PARAM_ERROR', rejected],
    [404, 'DATA_APP_ID_ERROR', rejected],
    [400, 'DATA_APP_NOT_FOUND', rejected],
    [404, 'WORKSPACE_ID_ERROR', rejected],
    [403, 'INVALID_PERMISSIONS', rejected],
    [429, 'RATE_LIMIT_EXCEEDED', 'UPSTREAM_UNAVAILABLE upstream_rate_limited'],
    [500, 'INTERNAL_SERVER_ERROR', failed],
  ])('answers %i %s with a fixed message, and logs the code', async (status, code, expected) => {
    const settled = await mintFrom(sends(errorResponse(status, code)));
    expect(outcomeOf(settled)).toBe(expected);
    expect('error' in settled && settled.error.detail.upstreamCode).toBe(code);
    expect(client.calls.map(({ upstreamCode }) => upstreamCode)).toEqual([code]);
    expect(allOutput(client, settled)).not.toContain('the vendor says');
  });

  it('never converts a response of any status to 401 or 403', async () => {
    const statuses = Array.from({ length: 400 }, (_, i) => 200 + i).filter(
      (status) => status !== 204 && status !== 304,
    );
    script = (request, socket) => {
      const status = Number(/"clientId":"s(\d+)"/.exec(request.body)?.[1]);
      socket.write(httpResponse(status, JSON.stringify({ error: { code: 'SOMETHING_NEW', message: 'new' } })));
    };
    const calm = startClient(upstream.baseUrl, {
      maxRetries: 0,
      limits: {
        circuit: neverOpens,
        rate: { minPerSecond: 1000, assumedPerSecond: 1000, doublingMs: 1000, maxPauseMs: 0 },
      },
    });
    const codes = new Map<number, string>();
    for (const status of statuses) {
      const settled = await mintOnce(calm, `s${status}`);
      codes.set(status, 'error' in settled ? settled.error.code : 'token');
    }
    await calm.close();
    const expected = (status: number): string => {
      if (status < 400) return 'UPSTREAM_INVALID_RESPONSE';
      return status === 429 || status >= 500 ? 'UPSTREAM_UNAVAILABLE' : 'UPSTREAM_REJECTED';
    };
    expect([...codes]).toEqual(statuses.map((status) => [status, expected(status)]));
  });
});
