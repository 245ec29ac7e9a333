import { describe, expect, it } from 'vitest';
import { createLanes } from '../../../src/databrain/lanes.ts';
import { upstreamLimits } from '../../../src/databrain/upstream-client.ts';
import { createManualClock } from '../../support/manual-clock.ts';

function start() {
  const clock = createManualClock();
  const events: string[] = [];
  const lanes = createLanes({
    ...upstreamLimits,
    clock,
    maxWaiting: 100,
    retryReserve: 2,
    circuit: { ...upstreamLimits.circuit, consecutiveFailures: 3 },
    events: {
      circuit: (state, name, worst) => events.push(`${name} ${state}, worst ${worst}`),
      slowedDown: (callsPerSecond, name) => events.push(`${name ?? 'all'} at ${callsPerSecond}`),
    },
  });
  return { clock, lanes, events };
}

describe('The lanes of the API keys', () => {
  it('exist once for each name', () => {
    const { lanes } = start();
    expect(lanes.of('A')).toBe(lanes.of('A'));
    expect(lanes.of('A')).not.toBe(lanes.of('B'));
  });

  it('have separate rate limits while only one key is limited', () => {
    const { clock, lanes, events } = start();
    for (let i = 0; i < 3; i += 1) {
      clock.advance(10);
      lanes.of('A').limited(clock.monotonic(), 2000);
    }
    expect(lanes.of('A').queue.hasRoom()).toBe(false);
    expect(lanes.of('A').rateWaitMs()).toBeGreaterThan(1900);
    expect(lanes.of('B').queue.hasRoom()).toBe(true);
    expect(events.every((line) => line.startsWith('A at'))).toBe(true);
  });

  it('share one rate limit when a second key is limited too, because then the address is limited', () => {
    const { clock, lanes, events } = start();
    lanes.of('A').limited(clock.monotonic(), 2000);
    clock.advance(5000);
    lanes.of('B').limited(clock.monotonic(), 2000);
    expect(lanes.of('C').queue.hasRoom()).toBe(false);
    expect(events.at(-1)).toBe('all at 2');
  });

  it('have separate rate limits again when the second key is limited much later', () => {
    const { clock, lanes, events } = start();
    lanes.of('A').limited(clock.monotonic(), undefined);
    clock.advance(10_000);
    lanes.of('B').limited(clock.monotonic(), undefined);
    expect(events).toEqual(['A at 2', 'B at 2']);
  });

  it('refuse at once waiting calls that can no longer be sent in time', async () => {
    const { clock, lanes } = start();
    const { queue, limited } = lanes.of('A');
    limited(clock.monotonic(), undefined);
    const leave = await queue.enter(3000);
    leave();
    const waiting = Promise.resolve(queue.enter(3000));
    limited(clock.monotonic(), 60_000);
    await expect(waiting).rejects.toMatchObject({ reason: 'queue_full' });
  });

  it('have separate circuits, and the worst state of all is reported', () => {
    const { lanes, events } = start();
    lanes.of('B').circuit.admit('fine');
    for (let i = 0; i < 3; i += 1) {
      const admission = lanes.of('A').circuit.admit(`client-${i}`);
      if (admission.kind === 'admitted') admission.done('failure');
    }
    expect(lanes.of('A').circuit.refusedForMs('any')).toBe(1000);
    expect(lanes.of('B').circuit.refusedForMs('any')).toBe(0);
    expect(events).toEqual(['A open, worst open']);
  });

  it('have separate retry budgets', () => {
    const { lanes } = start();
    expect([lanes.of('A').retryBudget.withdraw(), lanes.of('A').retryBudget.withdraw()]).toEqual([true, true]);
    expect(lanes.of('A').retryBudget.withdraw()).toBe(false);
    expect(lanes.of('B').retryBudget.withdraw()).toBe(true);
  });
});
