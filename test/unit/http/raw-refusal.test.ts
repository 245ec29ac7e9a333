import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { originHeaderOf, otherProtocolOf, refuseRaw, toRawRefusal } from '../../../src/http/raw-refusal.ts';
import { openProbe } from '../../support/socket-probe.ts';

describe('the refusal of input that is not a request', () => {
  it.each([
    ['HPE_HEADER_OVERFLOW', { status: 431, code: 'HEADERS_TOO_LARGE' }],
    ['HPE_CHUNK_EXTENSIONS_OVERFLOW', { status: 413, code: 'BODY_TOO_LARGE' }],
    ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, code: 'INVALID_REQUEST' }],
    ['HPE_INVALID_VERSION', { status: 505, code: 'INVALID_REQUEST' }],
    ['HPE_PAUSED_H2_UPGRADE', { status: 505, code: 'INVALID_REQUEST' }],
    ['HPE_INVALID_METHOD', { status: 400, code: 'INVALID_REQUEST' }],
  ])('depends on the error: %s', (code, refusal) => expect(toRawRefusal(code)).toEqual(refusal));

  it.each(['ECONNRESET', 'EPIPE', 'X_HPE_', undefined])('is absent for a broken connection: %s', (code) =>
    expect(toRawRefusal(code)).toBeUndefined(),
  );

  it.each([
    [408, 'Request Timeout'],
    [413, 'Content Too Large'],
    [431, 'Request Header Fields Too Large'],
    [505, 'HTTP Version Not Supported'],
  ])('is a complete response with status %i, and ends the connection', async (status, phrase) => {
    const server = createServer((socket) => refuseRaw(socket, { status, code: 'INVALID_REQUEST' }, { Vary: 'Origin' }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const probe = await openProbe((server.address() as AddressInfo).port, 'x');
    await probe.ended;
    const [head = '', body = ''] = probe.received().split('\r\n\r\n');
    const [line, ...headers] = head.split('\r\n');
    const requestId = /^X-Request-Id: (.+)$/m.exec(head)?.[1]?.trim();
    expect(line).toBe(`HTTP/1.1 ${status} ${phrase}`);
    expect(headers.sort()).toEqual([
      'Cache-Control: no-store',
      'Connection: close',
      `Content-Length: ${body.length}`,
      'Content-Type: application/json; charset=utf-8',
      'Vary: Origin',
      'X-Content-Type-Options: nosniff',
      `X-Request-Id: ${requestId}`,
    ]);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'INVALID_REQUEST', requestId } });
    server.close();
  });

  it('closes the connection within one second if the client does not', async () => {
    let isClosed = false;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('close', () => (isClosed = true));
      refuseRaw(socket, { status: 400, code: 'INVALID_REQUEST' }, {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const probe = await openProbe((server.address() as AddressInfo).port, 'x');
    await expect.poll(() => isClosed, { timeout: 2_000 }).toBe(true);
    probe.socket.destroy();
    server.close();
  });

  it('closes a connection that is no longer writable', async () => {
    let isDestroyed = false;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.end();
      refuseRaw(socket, { status: 400, code: 'INVALID_REQUEST' }, {});
      isDestroyed = socket.destroyed;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const probe = await openProbe((server.address() as AddressInfo).port, 'x');
    await probe.ended;
    expect([probe.received(), isDestroyed]).toEqual(['', true]);
    server.close();
  });
});

describe('the origin in input that is not a request', () => {
  it.each([
    ['GET / HTTP/9\r\nOrigin: https://app.example.com\r\n', 'https://app.example.com'],
    ['GET / HTTP/9\r\norigin:\thttps://a.example \r\nHost: b\r\n', 'https://a.example'],
  ])('is read: %j', (text, origin) => expect(originHeaderOf(Buffer.from(text))).toBe(origin));

  it.each([
    'GET / HTTP/9\r\nHost: a\r\n',
    'GET / HTTP/9\r\nOrigin: https://a.example\r\n\r\nOrigin: x\r\nOrigin: https://b.example\r\n',
    'GET / HTTP/9\r\nX-Origin: https://a.example\r\n',
    'GET / HTTP/9\r\nOrigin: a b\r\n',
    'GET / HTTP/9\r\nOrigin: https://a.example',
  ])('is unknown if it is missing or repeated: %j', (text) =>
    expect(originHeaderOf(Buffer.from(text))).toBeUndefined(),
  );

  it('is unknown without input', () => expect(originHeaderOf(undefined)).toBeUndefined());
});

describe('another protocol', () => {
  it.each([
    [Buffer.from([0x16, 0x03, 0x01, 0x02]), 'TLS'],
    [Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n'), 'PROXY protocol'],
    [Buffer.from('PROXY TCP6 '), 'PROXY protocol'],
    [Buffer.from('PROXY UNKNOWN\r\n'), 'PROXY protocol'],
    [Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21'), 'PROXY protocol'],
    [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'HTTP/2'],
  ])('is recognised by its first bytes: %j', (received, protocol) => expect(otherProtocolOf(received)).toBe(protocol));

  it.each([
    Buffer.from([0x16, 0x02]),
    Buffer.from([0x17, 0x03]),
    Buffer.from([0x16]),
    Buffer.from(''),
    Buffer.from('PROXY GET / HTTP/1.1'),
    Buffer.from('XPROXY TCP4'),
    Buffer.from('PRI * HTTP/2.1'),
    Buffer.from('GET / HTTP/1.1\r\n\r\n\0\r\nQUIT\n'),
    undefined,
  ])('is not recognised in other input: %j', (received) => expect(otherProtocolOf(received)).toBeUndefined());
});
