// Connections that are reset at random times, on both listeners, in all kinds of HTTP/1.1 exchanges. A socket without
// an error listener would end the process. RESETS=50000 runs the long form; the seed is printed.
import fc from 'fast-check';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import type { Program } from '../../support/programs/program.ts';
import { bearer, startDatabrain, startService } from '../../support/programs/sales-service.ts';
import { descriptorsOf } from '../../support/socket-probe.ts';
import { until } from '../../support/until.ts';

const resets = Number(process.env['RESETS'] ?? 4_000);
const atOnce = 40;

let databrain: SimulatedDatabrain;
let program: Program;

beforeAll(async () => {
  databrain = await startDatabrain({ rateLimit: 'off' });
  program = await startService(databrain, {
    RATE_LIMIT_ADDRESS_MAX: '10000000',
    RATE_LIMIT_USER_MAX: '1000000',
    TOKEN_REUSE: 'off',
  });
});
afterAll(async () => {
  expect(await program.stop()).toBe(0);
  await databrain.close();
});

function requests(): readonly string[] {
  const host = 'Host: localhost\r\n';
  const authorization = `Authorization: ${bearer().authorization}\r\n`;
  const json = 'Content-Type: application/json\r\n';
  const body = '{"dataApp":"sales-dashboard"}';
  const post = `POST /guest-token HTTP/1.1\r\n${host}${authorization}${json}`;
  const whole = `${post}Content-Length: ${body.length}\r\n\r\n${body}`;
  return [
    `CONNECT localhost:80 HTTP/1.1\r\n${host}\r\n`,
    `CONNECT localhost:80 HTTP/1.1\r\n${host}\r\nbytes of a tunnel`,
    `GET /livez HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    `${post}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    `${post}Expect: something\r\nContent-Length: 0\r\n\r\n`,
    `${post}Transfer-Encoding: chunked\r\n\r\n1d\r\n${body}\r\n0\r\n\r\n`,
    `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    whole,
    whole + whole + whole,
    whole.repeat(20),
    `GET /openapi.yaml HTTP/1.1\r\n${host}\r\n`.repeat(5),
    `GET /metrics HTTP/1.1\r\n${host}\r\n`.repeat(3),
    `GET /livez HTTP/1.1\r\n${host}\r\n${whole}CONNECT a:1 HTTP/1.1\r\n\r\n`,
    `GET /%zz HTTP/1.1\r\n${host}\r\n`,
    `GET /livez HTTP/1.1\r\n${host}X: ${'a'.repeat(70_000)}\r\n\r\n`,
    `OPTIONS /guest-token HTTP/1.1\r\n${host}${json}Content-Length: 9000\r\n\r\n${'x'.repeat(9000)}`,
    '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
  ];
}

interface Reset {
  readonly bytes: Buffer;
  readonly port: number;
  /** One of many addresses, because an address that floods gets no new connections for a while. */
  readonly from: string;
  /** Half-closes first, so that the reset arrives while an answer is written. */
  readonly ends: boolean;
  /** Waits for this many bytes of an answer, or for this many milliseconds, before the reset. */
  readonly afterBytes: number;
  readonly afterMs: number;
}

function reset({ bytes, port, from, ends, afterBytes, afterMs }: Reset): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    let received = 0;
    const cut = (): void => {
      clearTimeout(timer);
      // Node cannot reset a half-closed socket; closing it with unread bytes resets it too.
      if (ends) socket.destroy();
      else socket.resetAndDestroy();
    };
    const timer = setTimeout(cut, afterMs);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (afterBytes > 0 && received >= afterBytes) cut();
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    if (ends) socket.end(bytes);
    else socket.write(bytes);
  });
}

describe('connections that are reset at random times', () => {
  it('have no effect on others', async () => {
    const before = descriptorsOf(program.pid);
    const [seed = 0] = fc.sample(fc.integer(), 1);
    const texts = requests();
    const plan = fc.sample(
      fc.record({
        text: fc.constantFrom(...texts),
        share: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
        port: fc.constantFrom(program.port, program.adminPort),
        from: fc.integer({ min: 2, max: 65_000 }).map((number) => `127.1.${number >> 8}.${number & 255}`),
        ends: fc.boolean(),
        afterBytes: fc.constantFrom(0, 0, 1, 200),
        afterMs: fc.constantFrom(0, 0, 1, 2, 5, 20),
      }),
      { numRuns: resets, seed },
    );
    const queue = plan.values();
    const worker = async (): Promise<void> => {
      for (const { text, share, ...rest } of queue) {
        await reset({ ...rest, bytes: Buffer.from(text.slice(0, Math.ceil(text.length * share)), 'latin1') });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));

    const seedOfFailure = `seed ${seed}`;
    for (const port of [program.port, program.adminPort]) {
      expect((await program.send({ method: 'GET', path: '/livez', port })).status, seedOfFailure).toBe(200);
    }
    expect(
      program.lines().filter(({ level }) => level === 'fatal' || level === 'error'),
      seedOfFailure,
    ).toEqual([]);
    await until(() => descriptorsOf(program.pid) <= before + 40, 30_000);
  }, 600_000);
});
