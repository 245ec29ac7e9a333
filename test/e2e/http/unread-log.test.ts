// A flood of pipelined requests whose responses are not read, while standard output is not read either, or of endless
// headers: the service stays alive with a small heap, answers probes, issues no token that it cannot record, and
// recovers.
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { heapUsed } from '../../support/programs/heap-used.ts';
import { startProber } from '../../support/livez-prober.ts';
import type { Program } from '../../support/programs/program.ts';
import { bearer, startDatabrain, startService } from '../../support/programs/sales-service.ts';
import { until } from '../../support/until.ts';
import { logMessages } from '../../support/sentences/log-messages.ts';

const pipelined = 3_000;
const post = 'POST /guest-token HTTP/1.1\r\nHost: proxy.example\r\nContent-Length: 0\r\n\r\n';

let databrain: SimulatedDatabrain;

const start = (env: Readonly<Record<string, string>> = {}): Promise<Program> =>
  startService(
    databrain,
    { RATE_LIMIT_ADDRESS_MAX: '10000000', RATE_LIMIT_USER_MAX: '1000000', TOKEN_REUSE: 'off', ...env },
    ['--max-old-space-size=128', '--inspect=127.0.0.1:0'],
  );

beforeAll(async () => {
  databrain = await startDatabrain({ rateLimit: 'off' });
});
afterAll(async () => {
  await databrain.close();
});

async function metrics({ send, adminPort }: Program, names: readonly string[]): Promise<readonly number[]> {
  const { text } = await send({ method: 'GET', path: '/metrics', port: adminPort });
  const lines = text.split('\n');
  return names.map((name) => Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1]));
}

const metric = async (program: Program, name: string): Promise<number> => {
  const [value = Number.NaN] = await metrics(program, [name]);
  return value;
};

interface Flood {
  readonly name: string;
  readonly connections: number;
  /** The address of each connection. Other clients of the test have another address. */
  readonly addressOf: (index: number) => string;
  readonly env?: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** The bytes that each connection sends. Default: pipelined requests. */
  readonly bytes?: string;
}

const oneAddress = (): string => '127.0.0.2';
const manyAddresses = (index: number): string => `127.0.${1 + (index >> 7)}.${2 + (index % 128)}`;
const floods: readonly Flood[] = [
  { name: '25 connections', connections: 25, addressOf: oneAddress, rounds: 1 },
  { name: '100 connections', connections: 100, addressOf: oneAddress, rounds: 1 },
  { name: '400 connections', connections: 400, addressOf: oneAddress, rounds: 1 },
  { name: '400 connections of 400 addresses', connections: 400, addressOf: manyAddresses, rounds: 3 },
  {
    name: '400 connections of a trusted proxy',
    connections: 400,
    addressOf: oneAddress,
    env: { TRUST_PROXY: '127.0.0.2' },
    rounds: 1,
  },
];

/** Opens connections, sends everything on each at once, and never reads. */
async function flood({ port }: Program, attack: Flood): Promise<readonly Socket[]> {
  const { connections, addressOf } = attack;
  const bytes = Buffer.from(attack.bytes ?? post.repeat(pipelined));
  const sockets = await Promise.all(
    Array.from(
      { length: connections },
      (_, index) =>
        new Promise<Socket>((resolve) => {
          const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(index) }, () => resolve(socket));
          socket.on('error', () => resolve(socket));
          socket.pause();
        }),
    ),
  );
  for (const socket of sockets) socket.write(bytes);
  return sockets;
}

/** Connections that were closed for a flood. After the first sixteen of an address, others are not even read from. */
async function closedFor(program: Program): Promise<number> {
  const causes = ['pipelining', 'offender'];
  const counts = await metrics(
    program,
    causes.map((cause) => `guest_token_connections_closed_total{cause="${cause}"}`),
  );
  return counts.reduce((sum, count) => sum + count);
}

const megabyte = 1024 * 1024;

describe('a flood of pipelined requests while the log is not read', () => {
  it.each(floods)(
    'from $name leaves the service available, fast and with the same memory',
    async (attack) => {
      const program = await start(attack.env);
      for (let index = 0; index < 50; index += 1) await program.send();
      const [resident = 0, descriptors = 0] = await metrics(program, [
        'process_resident_memory_bytes',
        'process_open_fds',
      ]);
      const heap = await heapUsed(program);
      program.readOutput(false);

      for (let round = 1; round <= attack.rounds; round += 1) {
        const cpu = await metric(program, 'process_cpu_seconds_total');
        const prober = startProber(program.port);
        const sockets = await flood(program, attack);
        await until(async () => (await closedFor(program)) === round * attack.connections, 10_000);
        const times = await prober.stop(110);
        expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
        for (const socket of sockets) socket.destroy();
        // Of 3,000 requests on a connection, eight are read and none is processed.
        expect((await metric(program, 'process_cpu_seconds_total')) - cpu).toBeLessThan(2);
        // After garbage collection nothing is kept. The memory of the process grows as with other requests.
        expect((await heapUsed(program)) - heap).toBeLessThan(3 * megabyte);
        expect((await metric(program, 'process_resident_memory_bytes')) - resident).toBeLessThan(64 * megabyte);
        await until(async () => (await metric(program, 'process_open_fds')) <= descriptors);
      }
      program.readOutput(true);
      expect(await program.stop()).toBe(0);
    },
    60_000,
  );
});

describe('a flood of endless headers', () => {
  it('from one address leaves the service available, fast and with the same memory', async () => {
    const program = await start();
    await program.send();
    const heap = await heapUsed(program);
    // Each header takes much more memory than its text.
    const headers = Array.from({ length: 900 }, (_, index) => `a${1000 + index}:${'b'.repeat(40)}\r\n`).join('');
    const bytes = `POST /guest-token HTTP/1.1\r\nHost: proxy.example\r\n${headers}`;

    for (const connections of [400, 1_000]) {
      const cpu = await metric(program, 'process_cpu_seconds_total');
      const prober = startProber(program.port);
      const sockets = await flood(program, { name: '', connections, addressOf: oneAddress, rounds: 1, bytes });
      const times = await prober.stop(110);
      if (connections === 400) expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
      // Of 900 headers on a connection 128 are kept; all of them took 4.6 s.
      expect((await metric(program, 'process_cpu_seconds_total')) - cpu).toBeLessThan(2);
      for (const socket of sockets) socket.destroy();
      await until(async () => (await heapUsed(program)) - heap < 3 * megabyte);
    }
    expect(await program.stop()).toBe(0);
  }, 60_000);
});

describe('standard output that is not read', () => {
  it('drops the lines of refusals, counts them, and issues no tokens until the log is read again', async () => {
    const program = await start();
    expect((await program.send({ headers: bearer({ sub: 'before' }) })).status).toBe(200);
    program.readOutput(false);
    // Long request ids make long lines.
    const refused = { 'x-request-id': 'r'.repeat(128), authorization: `Bearer ${'x'.repeat(20)}` };
    const dropped = (): Promise<number> => metric(program, 'guest_token_log_lines_dropped_total');
    while ((await dropped()) === 0) {
      await Promise.all(Array.from({ length: 100 }, () => program.send({ headers: refused })));
    }
    const responses = await Promise.all(
      Array.from({ length: 5 }, (_, index) => program.send({ headers: bearer({ sub: `during-${index}` }) })),
    );
    expect(responses.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
    expect(responses[0]?.text).toContain('"code":"AUDIT_UNAVAILABLE"');
    expect(Number(responses[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await program.send({ method: 'GET', path: '/livez' })).status).toBe(200);
    const ready = await program.send({ method: 'GET', path: '/readyz' });
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([503, { checks: { audit: 'failing' } }]);
    // Refused at once by now, without a call to Databrain.
    const requestsBefore = databrain.requests.length;
    const again = await program.send({ headers: bearer({ sub: 'again' }) });
    expect([again.status, databrain.requests.length]).toEqual([503, requestsBefore]);

    const counted = await dropped();
    program.readOutput(true);
    await until(() => program.logged('linesDropped').length > 0);
    const logged = program.logged('linesDropped');
    expect(logged.map((line) => line['lines'])).toEqual([await dropped()]);
    expect(await dropped()).toBeGreaterThanOrEqual(counted);
    await until(() => program.output().includes('"requestId":"rrrr'));
    expect((await program.send({ headers: bearer({ sub: 'after' }) })).status).toBe(200);
    await until(() => program.lines().some(({ sub, event }) => sub === 'after' && event === 'guest_token.issued'));
    expect((await program.send({ method: 'GET', path: '/readyz' })).status).toBe(200);
    expect(program.lines().filter(({ sub, event }) => sub === 'again' && event === 'guest_token.issued')).toEqual([]);
    expect(await program.stop()).toBe(0);
    expect(program.lines().at(-1)?.message).toBe('stopped');
  }, 120_000);

  it('ends the service with exit code 1 if it is closed, and no token is issued', async () => {
    const program = await start();
    program.closeOutput();
    expect((await program.send({ headers: bearer({ sub: 'unrecorded' }) })).status).toBe(503);
    expect(await program.exited).toBe(1);
    expect(
      program
        .output()
        .split('\n')
        .filter((line) => line.startsWith(logMessages.outputClosed)),
    ).toHaveLength(1);
  });
});
