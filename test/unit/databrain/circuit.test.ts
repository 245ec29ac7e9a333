import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCircuit, type CallResult, type Circuit } from '../../../src/databrain/circuit.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const settings = {
  consecutiveFailures: 5,
  failureShare: 0.5,
  minimumCalls: 20,
  windowMs: 10_000,
  openMs: 1000,
  maxOpenMs: 4000,
};

function start(overrides: Partial<typeof settings> = {}) {
  const clock = createManualClock();
  return { clock, circuit: createCircuit({ ...settings, ...overrides, clock }) };
}

/** Makes one call with the given result, and returns whether it was admitted. */
function call(circuit: Circuit, result: CallResult): boolean {
  const admission = circuit.admit();
  if (admission.kind === 'refused') return false;
  admission.done(result);
  return true;
}
const repeat = (n: number, action: () => void): void => Array.from({ length: n }).forEach(action);

describe('The circuit to the upstream', () => {
  it('opens after the given number of failures in a row, and not before', () => {
    const { circuit } = start();
    repeat(4, () => call(circuit, 'failure'));
    expect(circuit.state()).toBe('closed');
    call(circuit, 'failure');
    expect(circuit.state()).toBe('open');
    expect(call(circuit, 'success')).toBe(false);
  });

  it('counts failures in a row from the last success', () => {
    const { circuit } = start();
    repeat(4, () => call(circuit, 'failure'));
    call(circuit, 'success');
    repeat(4, () => call(circuit, 'failure'));
    expect(circuit.state()).toBe('closed');
  });

  it('opens at the given share of failures after enough calls', () => {
    const { circuit } = start({ consecutiveFailures: 1000 });
    repeat(9, () => {
      call(circuit, 'success');
      call(circuit, 'failure');
    });
    call(circuit, 'success');
    expect(circuit.state()).toBe('closed');
    call(circuit, 'failure');
    expect(circuit.state()).toBe('open');
  });

  it('forgets failures that are older than the window', () => {
    const { circuit, clock } = start({ consecutiveFailures: 1000 });
    repeat(19, () => call(circuit, 'failure'));
    clock.advance(settings.windowMs + 1000);
    call(circuit, 'failure');
    expect(circuit.state()).toBe('closed');
  });

  it('does not count 4xx responses, however many there are', () => {
    const { circuit } = start();
    repeat(4, () => call(circuit, 'failure'));
    repeat(100, () => call(circuit, 'responded'));
    repeat(100, () => call(circuit, 'not_sent'));
    expect(circuit.state()).toBe('closed');
    call(circuit, 'failure');
    expect(circuit.state()).toBe('open');
  });

  it('reports how long it stays open', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    expect(circuit.refusedForMs()).toBe(1000);
    clock.advance(400);
    expect(circuit.refusedForMs()).toBe(600);
    expect(circuit.admit()).toEqual({ kind: 'refused', retryAfterMs: 600 });
  });

  it('is half open as soon as it would admit a probe, so that the next call is the probe', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    clock.advance(999);
    expect(circuit.state()).toBe('open');
    clock.advance(1);
    expect(circuit.state()).toBe('half_open');
  });

  it('admits exactly one probe, and closes after its answer', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    clock.advance(1000);
    const probe = circuit.admit();
    expect(probe.kind).toBe('admitted');
    expect(circuit.admit().kind).toBe('refused');
    expect(circuit.refusedForMs()).toBeGreaterThan(0);
    if (probe.kind === 'admitted') probe.done('success');
    expect(circuit.state()).toBe('closed');
    repeat(20, () => expect(call(circuit, 'success')).toBe(true));
  });

  it('closes after a probe that is answered with 4xx: the upstream is reachable', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    clock.advance(1000);
    call(circuit, 'responded');
    expect(circuit.state()).toBe('closed');
  });

  it('stays open for twice as long after each failed probe, up to a maximum', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    const openFor: number[] = [];
    repeat(4, () => {
      clock.advance(circuit.refusedForMs());
      call(circuit, 'failure');
      openFor.push(circuit.refusedForMs());
    });
    expect(openFor).toEqual([2000, 4000, 4000, 4000]);
    clock.advance(4000);
    call(circuit, 'success');
    repeat(5, () => call(circuit, 'failure'));
    expect(circuit.refusedForMs()).toBe(1000);
  });

  it('stays open for the first interval after a failed probe of a clientId that was counted already', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    clock.advance(1000);
    call(circuit, 'failure');
    clock.advance(2000);
    call(circuit, 'repeated_failure');
    expect(circuit.refusedForMs()).toBe(1000);
  });

  it('does not count a failure twice', () => {
    const { circuit } = start();
    repeat(4, () => call(circuit, 'failure'));
    repeat(100, () => call(circuit, 'repeated_failure'));
    expect(circuit.state()).toBe('closed');
  });

  it('makes the next call the probe if the probe was not sent', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'failure'));
    clock.advance(1000);
    call(circuit, 'not_sent');
    expect(circuit.state()).toBe('half_open');
    call(circuit, 'success');
    expect(circuit.state()).toBe('closed');
  });

  it('ignores the end of an earlier call while a probe runs', () => {
    const { circuit, clock } = start();
    const early = circuit.admit();
    repeat(5, () => call(circuit, 'failure'));
    clock.advance(1000);
    const probe = circuit.admit();
    if (early.kind === 'admitted') early.done('success');
    expect(circuit.state()).toBe('half_open');
    if (probe.kind === 'admitted') probe.done('failure');
    expect(circuit.state()).toBe('open');
  });

  it('has at most one probe, refuses for a limited time and always recovers, whatever the history', () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 3000 }),
      end: fc.constantFrom<CallResult | 'pending'>(
        'success',
        'failure',
        'failure',
        'repeated_failure',
        'responded',
        'not_sent',
        'pending',
      ),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { circuit, clock } = start();
        const pending: ((result: CallResult) => void)[] = [];
        let probes = 0;
        for (const { wait, end } of steps) {
          clock.advance(wait);
          const admission = circuit.admit();
          if (admission.kind === 'refused') {
            expect(admission.retryAfterMs).toBeGreaterThan(0);
            expect(admission.retryAfterMs).toBeLessThanOrEqual(settings.maxOpenMs);
            continue;
          }
          expect(circuit.state()).not.toBe('open');
          const isProbe = circuit.state() === 'half_open';
          if (isProbe) probes += 1;
          expect(probes).toBeLessThanOrEqual(1);
          const done = (result: CallResult): void => {
            if (isProbe) probes -= 1;
            admission.done(result);
          };
          if (end === 'pending') pending.push(done);
          else done(end);
        }
        for (const done of pending) done('failure');
        clock.advance(settings.maxOpenMs);
        expect(call(circuit, 'success')).toBe(true);
        expect(circuit.state()).toBe('closed');
      }),
    );
  });
});
