// The cost of a new guest token in this service, in counts that do not depend on the load of the machine.
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { countHashes } from '../support/count-hashes.ts';
import { startFaultyUpstream, tokenResponse, type FaultyUpstream } from '../support/servers/faulty-upstream.ts';
import { mintOnce, startClient, type ClientRecord } from '../support/servers/faulty-upstream-client.ts';

const hashes = countHashes();
afterAll(hashes.stop);

let upstream: FaultyUpstream | undefined;
let client: ClientRecord | undefined;

afterEach(async () => {
  vi.restoreAllMocks();
  await client?.close();
  await upstream?.close();
  upstream = client = undefined;
});

const calls = 2000;
const atATime = 64;

async function mintAll(of: ClientRecord): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < calls) {
      const settled = await mintOnce(of, `user-${next++}`);
      if ('error' in settled) throw settled.error;
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
}

describe('A new guest token', () => {
  it('costs no connection, no hash, one packet, one timer (of undici) and a few reads of the clock', async () => {
    let chunks = 0;
    upstream = await startFaultyUpstream(
      (request, socket) => void socket.write(tokenResponse(request.index)),
      (socket) => socket.on('data', () => (chunks += 1)),
    );
    const clock = { now: vi.fn(systemClock.now), monotonic: vi.fn(systemClock.monotonic) };
    client = startClient(upstream.baseUrl, { clock, timeoutMs: 10_000, deadlineMs: 30_000 });
    await mintAll(client);

    const opened = upstream.connections();
    chunks = 0;
    hashes.reset();
    clock.now.mockClear();
    clock.monotonic.mockClear();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    await mintAll(client);

    expect(opened).toBeLessThanOrEqual(128 + atATime);
    expect(upstream.connections() - opened).toBeLessThanOrEqual(calls / 100);
    expect(hashes.count()).toBe(0);
    expect(chunks / calls).toBeLessThan(1.05);
    expect(timers.mock.calls.length / calls).toBeLessThan(1.5);
    expect(clock.now.mock.calls.length / calls).toBeLessThan(1.5);
    expect(clock.monotonic.mock.calls.length / calls).toBeLessThan(20);
  });
});
