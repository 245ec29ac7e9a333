import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { createCallQueue, type KeyQueue } from '../../../src/databrain/call-queue.ts';
import { createCallRate } from '../../../src/databrain/call-rate.ts';

const clock = { monotonic: () => performance.now() };
const newRate = () =>
  createCallRate({ clock, minPerSecond: 1, assumedPerSecond: 4, doublingMs: 1e9, maxPauseMs: 5000 });

function start(maxConcurrent = 2, maxWaiting = 3, maxConcurrentPerKey = maxConcurrent) {
  const shared = newRate();
  const queue = createCallQueue({
    clock,
    rate: shared,
    maxConcurrent,
    maxConcurrentPerKey,
    maxWaiting,
    minCallMs: 0,
  });
  const rate = newRate();
  return { shared, queue, rate, queueOfKey: queue.createKeyQueue(rate) };
}

/** The state of a call: waiting, admitted or refused. */
function enter(queueOfKey: KeyQueue, remainingMs = 10_000) {
  const call: { state: string; leave: () => void; error?: unknown } = { state: 'waiting', leave: () => undefined };
  Promise.resolve(queueOfKey.enter(remainingMs)).then(
    (leave) => Object.assign(call, { state: 'in', leave }),
    (error: unknown) => Object.assign(call, { state: error instanceof ServiceError ? error.reason : 'failed', error }),
  );
  return call;
}
const states = (calls: readonly { readonly state: string }[]): readonly string[] => calls.map(({ state }) => state);
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** Runs full rounds of concurrent calls with the given duration. */
async function learn(queueOfKey: KeyQueue, atATime: number, tookMs: number, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const calls = times(atATime, () => enter(queueOfKey));
    await settle(tookMs);
    for (const { leave } of calls) leave();
    await settle();
  }
}
const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make);

describe('the call queue', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('allows a limited number of concurrent calls, and starts the next one in order when one ends', async () => {
    const { queueOfKey } = start();
    const calls = times(4, () => enter(queueOfKey));
    await settle();
    expect(states(calls)).toEqual(['in', 'in', 'waiting', 'waiting']);
    calls[1]?.leave();
    await settle();
    expect(states(calls)).toEqual(['in', 'in', 'in', 'waiting']);
  });

  it('refuses a call at once if the queue is full', async () => {
    const { queueOfKey } = start(1, 3);
    const calls = times(6, () => enter(queueOfKey));
    await settle();
    expect(states(calls)).toEqual(['in', 'waiting', 'waiting', 'waiting', 'queue_full', 'queue_full']);
    expect(calls[5]?.error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', detail: { retryAfterSeconds: 1 } });
  });

  it('refuses a call that has waited too long, and gives its place to the next one', async () => {
    const { queueOfKey } = start(1, 3);
    const calls = [enter(queueOfKey), enter(queueOfKey, 500), enter(queueOfKey, 10_000)];
    await settle(502);
    expect(states(calls)).toEqual(['in', 'queue_full', 'waiting']);
    calls[0]?.leave();
    await settle();
    expect(states(calls)).toEqual(['in', 'queue_full', 'in']);
    const later = times(4, () => enter(queueOfKey));
    await settle();
    expect(states(later)).toEqual(['waiting', 'waiting', 'waiting', 'queue_full']);
  });

  it('sends calls at the rate that the upstream accepts', async () => {
    const { queueOfKey, rate } = start(100, 100);
    rate.limited(clock.monotonic(), undefined);
    const calls = times(5, () => enter(queueOfKey));
    const inside = () => calls.filter(({ state }) => state === 'in').length;
    await settle();
    expect(inside()).toBe(1);
    await settle(510);
    expect(inside()).toBe(2);
    await settle(1020);
    expect(inside()).toBe(4);
  });

  it('refuses at once a call that cannot be sent in time at that rate', async () => {
    const { queueOfKey, rate } = start(100, 100);
    rate.limited(clock.monotonic(), undefined);
    const calls = times(6, () => enter(queueOfKey, 1100));
    await settle();
    expect(states(calls)).toEqual(['in', 'waiting', 'waiting', 'queue_full', 'queue_full', 'queue_full']);
  });

  it('refuses queued calls that would wait too long after the rate was lowered', async () => {
    const { queueOfKey, rate, queue } = start(1, 100);
    const calls = [enter(queueOfKey), enter(queueOfKey, 800), enter(queueOfKey, 800), enter(queueOfKey, 30_000)];
    await settle();
    expect(states(calls)).toEqual(['in', 'waiting', 'waiting', 'waiting']);
    rate.limited(clock.monotonic(), undefined);
    queue.reconsider();
    await settle();
    expect(states(calls)).toEqual(['in', 'waiting', 'queue_full', 'waiting']);
    rate.limited(clock.monotonic(), 5000);
    queue.reconsider();
    await settle();
    expect(states(calls)).toEqual(['in', 'queue_full', 'queue_full', 'waiting']);
  });

  it('refuses a call without time left', async () => {
    const { queueOfKey, rate } = start(1, 100);
    rate.limited(clock.monotonic(), 1000);
    const call = enter(queueOfKey, -5);
    await settle();
    expect(call.state).toBe('queue_full');
  });

  it('refuses a call without time left also if no call waits', async () => {
    const { queueOfKey } = start(1, 100);
    const call = enter(queueOfKey, -5);
    await settle();
    expect(call.state).toBe('queue_full');
  });

  it('refuses at once a call that cannot end in time, after it has measured how long calls take', async () => {
    const { queueOfKey } = start(1, 1000);
    await learn(queueOfKey, 1, 200, 100);
    // A call takes 200 ms: four more can start within 900 ms and still end within 1,100 ms.
    const calls = times(8, () => enter(queueOfKey, 1100));
    await settle();
    expect(states(calls).filter((state) => state === 'queue_full').length).toBeGreaterThanOrEqual(3);
    expect(states(calls).slice(0, 4)).toEqual(['in', 'waiting', 'waiting', 'waiting']);
  });

  it('refuses waiting calls when calls take longer than before', async () => {
    const { queueOfKey } = start(20, 1000);
    await learn(queueOfKey, 20, 10, 10);
    const calls = times(120, () => enter(queueOfKey, 2000));
    await settle();
    expect(states(calls)).not.toContain('queue_full');
    await settle(1000);
    for (const { leave } of calls.slice(0, 20)) leave();
    await settle();
    expect(states(calls).slice(0, 35)).toEqual(Array(35).fill('in'));
    expect(states(calls).at(-1)).toBe('queue_full');
  });

  it('refuses no call after a single slow call', async () => {
    const { queueOfKey } = start(2, 1000);
    await learn(queueOfKey, 2, 10, 10);
    const slow = enter(queueOfKey);
    await settle(400);
    slow.leave();
    const calls = times(50, () => enter(queueOfKey, 1500));
    await settle();
    expect(states(calls)).not.toContain('queue_full');
  });

  it('does not refuse other calls when a few calls hang', async () => {
    const { queueOfKey } = start(4, 1000);
    times(2, () => enter(queueOfKey));
    for (let round = 0; round < 20; round += 1) {
      const two = times(2, () => enter(queueOfKey));
      await settle(100);
      for (const one of two) one.leave();
      await settle();
    }
    // Two places are left for calls of 100 ms, so 20 calls per second.
    const calls = times(16, () => enter(queueOfKey, 1200));
    await settle();
    expect(states(calls)).not.toContain('queue_full');
  });

  it('refuses all waiting calls as SHUTTING_DOWN when it is closed', async () => {
    const { queueOfKey, queue } = start(1, 10);
    const calls = times(3, () => enter(queueOfKey));
    queue.close();
    await settle();
    expect(states(calls)).toEqual(['in', 'shutting_down', 'shutting_down']);
  });
});

describe('the queues of several API keys', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('are served in turn, whatever their lengths', async () => {
    const { queueOfKey, queue } = start(1, 1000);
    const other = queue.createKeyQueue(newRate());
    const order: string[] = [];
    const enter = async (name: string, into: KeyQueue): Promise<void> => {
      const leave = await into.enter(100_000);
      order.push(name);
      await new Promise((resolve) => setTimeout(resolve, 10));
      leave();
    };
    const all = [...times(20, () => enter('busy', queueOfKey)), ...times(3, () => enter('other', other))];
    await settle(1000);
    await Promise.all(all);
    expect(order.slice(0, 8).filter((name) => name === 'other')).toHaveLength(3);
  });

  it('slow down alone when their key is limited', async () => {
    const { queueOfKey, rate, queue } = start(10, 100);
    const other = queue.createKeyQueue(newRate());
    rate.limited(clock.monotonic(), 5000);
    const limited = times(3, () => enter(queueOfKey));
    const free = times(3, () => enter(other));
    await settle();
    expect(states(limited)).toEqual(['waiting', 'waiting', 'waiting']);
    expect(states(free)).toEqual(['in', 'in', 'in']);
    expect([queueOfKey.hasRoom(), other.hasRoom()]).toEqual([false, true]);
  });

  it('all slow down when the address is limited', async () => {
    const { queueOfKey, shared, queue } = start(10, 100);
    const other = queue.createKeyQueue(newRate());
    shared.limited(clock.monotonic(), 1000);
    const calls = [enter(queueOfKey), enter(other)];
    await settle(900);
    expect(states(calls)).toEqual(['waiting', 'waiting']);
    await settle(200);
    expect(states(calls)).toEqual(['in', 'waiting']);
    await settle(600);
    expect(states(calls)).toEqual(['in', 'in']);
  });

  it('refuse at once a call that cannot be sent in time at the rate of the address', async () => {
    const { queueOfKey, shared, queue } = start(10, 100);
    const other = queue.createKeyQueue(newRate());
    shared.limited(clock.monotonic(), undefined);
    // Calls start half a second apart, in turn: the second call of the second key would start after 1.5 seconds.
    const calls = [enter(queueOfKey, 1100), enter(queueOfKey, 1100), enter(other, 1100), enter(other, 1100)];
    await settle();
    expect(states(calls)).toEqual(['in', 'waiting', 'waiting', 'queue_full']);
  });

  it('keep places for each other when the calls of one hang', async () => {
    const { queueOfKey, queue } = start(4, 100, 3);
    const other = queue.createKeyQueue(newRate());
    const hanging = times(10, () => enter(queueOfKey));
    await settle();
    expect(states(hanging).filter((state) => state === 'in')).toHaveLength(3);
    expect(other.hasRoom()).toBe(true);
    const call = enter(other);
    await settle();
    expect(call.state).toBe('in');
  });
});
