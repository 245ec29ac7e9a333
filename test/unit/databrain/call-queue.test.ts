import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { createCallQueue, type CallQueue } from '../../../src/databrain/call-queue.ts';
import { createCallRate } from '../../../src/databrain/call-rate.ts';

const clock = { monotonic: () => performance.now() };

function start(maxConcurrent = 2, maxWaiting = 3) {
  const pace = createCallRate({ clock, minPerSecond: 1, assumedPerSecond: 4, growth: 0.0001, maxPauseMs: 5000 });
  return { pace, gate: createCallQueue({ clock, pace, maxConcurrent, maxWaiting }) };
}

/** What became of one who asked to enter, as far as it is decided. */
function ask(gate: CallQueue, maxWaitMs = 10_000) {
  const asked: { state: string; leave: () => void; error?: unknown } = { state: 'waiting', leave: () => undefined };
  gate.enter(maxWaitMs).then(
    (leave) => Object.assign(asked, { state: 'in', leave }),
    (error: unknown) => Object.assign(asked, { state: error instanceof ServiceError ? error.reason : 'failed', error }),
  );
  return asked;
}
const states = (asked: readonly { readonly state: string }[]): readonly string[] => asked.map(({ state }) => state);
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('The gate before the upstream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('lets only so many in at a time, and the next one when one leaves, in order', async () => {
    const { gate } = start();
    const asked = [ask(gate), ask(gate), ask(gate), ask(gate)];
    await settle();
    expect(states(asked)).toEqual(['in', 'in', 'waiting', 'waiting']);
    asked[1]?.leave();
    await settle();
    expect(states(asked)).toEqual(['in', 'in', 'in', 'waiting']);
    expect(gate.waiting()).toBe(1);
  });

  it('counts one who leaves twice once', async () => {
    const { gate } = start(1);
    const asked = [ask(gate), ask(gate), ask(gate)];
    await settle();
    asked[0]?.leave();
    asked[0]?.leave();
    await settle();
    expect(states(asked)).toEqual(['in', 'in', 'waiting']);
  });

  it('refuses at once whoever finds the queue full', async () => {
    const { gate } = start(1, 3);
    const asked = Array.from({ length: 6 }, () => ask(gate));
    await settle();
    expect(states(asked)).toEqual(['in', 'waiting', 'waiting', 'waiting', 'queue_full', 'queue_full']);
    const { error } = asked[5] ?? {};
    expect(error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', detail: { retryAfterSeconds: 1 } });
  });

  it('refuses one who waited for as long as he may, and gives his place to the next', async () => {
    const { gate } = start(1, 3);
    const asked = [ask(gate), ask(gate, 500), ask(gate, 10_000)];
    await settle(500);
    expect(states(asked)).toEqual(['in', 'queue_full', 'waiting']);
    asked[0]?.leave();
    await settle();
    expect(states(asked)).toEqual(['in', 'queue_full', 'in']);
    await settle(20_000);
    expect(gate.waiting()).toBe(0);
  });

  it('lets calls in at the pace that the upstream bears', async () => {
    const { gate, pace } = start(100, 100);
    pace.limited(clock.monotonic(), undefined);
    const asked = Array.from({ length: 5 }, () => ask(gate));
    const inside = () => asked.filter(({ state }) => state === 'in').length;
    await settle();
    expect(inside()).toBe(1);
    await settle(510);
    expect(inside()).toBe(2);
    await settle(1020);
    expect(inside()).toBe(4);
  });

  it('refuses at once whose turn would come too late at that pace', async () => {
    const { gate, pace } = start(100, 100);
    pace.limited(clock.monotonic(), undefined);
    const asked = Array.from({ length: 6 }, () => ask(gate, 1100));
    await settle();
    expect(states(asked)).toEqual(['in', 'waiting', 'waiting', 'queue_full', 'queue_full', 'queue_full']);
  });

  it('turns away those in the queue who would wait too long once the pace has dropped', async () => {
    const { gate, pace } = start(1, 100);
    const asked = [ask(gate), ask(gate, 800), ask(gate, 800), ask(gate, 30_000)];
    await settle();
    expect(states(asked)).toEqual(['in', 'waiting', 'waiting', 'waiting']);
    pace.limited(clock.monotonic(), undefined);
    gate.reconsider();
    await settle();
    expect(states(asked)).toEqual(['in', 'waiting', 'queue_full', 'waiting']);
    pace.limited(clock.monotonic(), 5000);
    gate.reconsider();
    await settle();
    expect(states(asked)).toEqual(['in', 'queue_full', 'queue_full', 'waiting']);
  });

  it('refuses whoever has no time left', async () => {
    const { gate, pace } = start(1, 100);
    pace.limited(clock.monotonic(), 1000);
    const asked = ask(gate, -5);
    await settle();
    expect(asked.state).toBe('queue_full');
  });
});
