import { describe, expect, it } from 'vitest';
import { createLanes } from '../../../src/databrain/lanes.ts';
import { createManualClock } from '../../support/manual-clock.ts';

function start() {
  const clock = createManualClock();
  const told: string[] = [];
  const lanes = createLanes({
    clock,
    minAttemptMs: 250,
    maxConcurrent: 128,
    maxConcurrentPerKey: 96,
    maxWaiting: 100,
    retryShare: 0.2,
    retryReserve: 2,
    retryQuietMs: 10_000,
    sameLimitMs: 10_000,
    circuit: {
      consecutiveFailures: 3,
      failureShare: 0.5,
      minimumCalls: 20,
      windowMs: 30_000,
      openMs: 1000,
      maxOpenMs: 5000,
    },
    rate: { minPerSecond: 0.5, assumedPerSecond: 4, doublingMs: 8000, maxPauseMs: 5000 },
    events: {
      circuit: (state, name, worst) => told.push(`${name} ${state}, worst ${worst}`),
      slowedDown: (callsPerSecond, name) => told.push(`${name ?? 'all'} at ${callsPerSecond}`),
    },
  });
  return { clock, lanes, told };
}

describe('The separate state of each API key', () => {
  it('is the same for one name', () => {
    const { lanes } = start();
    expect(lanes.of('A')).toBe(lanes.of('A'));
    expect(lanes.of('A')).not.toBe(lanes.of('B'));
  });

  it('is the limit, as long as one key alone is limited', () => {
    const { clock, lanes, told } = start();
    for (let i = 0; i < 3; i += 1) {
      clock.advance(10);
      lanes.of('A').limited(clock.monotonic(), 2000);
    }
    expect(lanes.of('A').queue.hasRoom()).toBe(false);
    expect(lanes.of('A').rateWaitMs()).toBeGreaterThan(1900);
    expect(lanes.of('B').queue.hasRoom()).toBe(true);
    expect(told.every((line) => line.startsWith('A at'))).toBe(true);
  });

  it('is not the limit any more when a second key is limited too: then it is that of our address', () => {
    const { clock, lanes, told } = start();
    lanes.of('A').limited(clock.monotonic(), 2000);
    clock.advance(5000);
    lanes.of('B').limited(clock.monotonic(), 2000);
    expect(lanes.of('C').queue.hasRoom()).toBe(false);
    expect(told.at(-1)).toBe('all at 2');
  });

  it('is the limit again when the second key is limited much later', () => {
    const { clock, lanes, told } = start();
    lanes.of('A').limited(clock.monotonic(), undefined);
    clock.advance(10_000);
    lanes.of('B').limited(clock.monotonic(), undefined);
    expect(told).toEqual(['A at 2', 'B at 2']);
  });

  it('refuses at once waiting calls that can no longer be sent in time', async () => {
    const { clock, lanes } = start();
    const { queue, limited } = lanes.of('A');
    limited(clock.monotonic(), undefined);
    const leave = await queue.enter(3000);
    leave();
    const waiting = Promise.resolve(queue.enter(3000));
    limited(clock.monotonic(), 60_000);
    await expect(waiting).rejects.toMatchObject({ reason: 'queue_full' });
  });

  it('is the circuit, and the worst state of all is reported', () => {
    const { lanes, told } = start();
    lanes.of('B').circuit.admit('fine');
    for (let i = 0; i < 3; i += 1) {
      const admission = lanes.of('A').circuit.admit(`client-${i}`);
      if (admission.kind === 'admitted') admission.done('failure');
    }
    expect(lanes.of('A').circuit.refusedForMs('any')).toBe(1000);
    expect(lanes.of('B').circuit.refusedForMs('any')).toBe(0);
    expect(told).toEqual(['A open, worst open']);
  });

  it('is the budget for retries', () => {
    const { lanes } = start();
    expect([lanes.of('A').retryBudget.withdraw(), lanes.of('A').retryBudget.withdraw()]).toEqual([true, true]);
    expect(lanes.of('A').retryBudget.withdraw()).toBe(false);
    expect(lanes.of('B').retryBudget.withdraw()).toBe(true);
  });
});
