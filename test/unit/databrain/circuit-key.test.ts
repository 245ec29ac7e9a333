import { describe, expect, it } from 'vitest';
import {
  type CallResult,
  type CircuitState,
  createKeyCircuit,
  type KeyCircuit,
} from '../../../src/databrain/circuit.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const limits = {
  consecutiveFailures: 5,
  failureShare: 0.5,
  minimumCalls: 20,
  windowMs: 10_000,
  openMs: 1000,
  maxOpenMs: 4000,
};

function start() {
  const clock = createManualClock();
  const changes: CircuitState[] = [];
  const circuit = createKeyCircuit({ ...limits, clock, onChange: (state) => changes.push(state) });
  return { clock, circuit, changes };
}

/** Makes one call with the given result, and returns whether it was admitted. */
function call(circuit: KeyCircuit, clientId: string, result: CallResult): boolean {
  const admission = circuit.admit(clientId);
  if (admission.kind === 'refused') return false;
  admission.done(result);
  return true;
}
const repeat = (n: number, action: (i: number) => void): void => Array.from({ length: n }, (_, i) => i).forEach(action);

describe('The circuit of an API key', () => {
  it('stays closed for other clients, however often one clientId fails', () => {
    const { circuit } = start();
    repeat(100, () => call(circuit, 'broken', 'failure'));
    expect(circuit.refusedForMs('broken')).toBeGreaterThan(0);
    expect(circuit.refusedForMs('fine')).toBe(0);
    expect(call(circuit, 'fine', 'success')).toBe(true);
  });

  it('stays closed for other clients when every second call of one clientId fails', () => {
    const { circuit } = start();
    repeat(100, (i) => call(circuit, 'broken', i % 2 === 0 ? 'failure' : 'success'));
    expect(circuit.refusedForMs('fine')).toBe(0);
  });

  it('refuses the clientId that fails, after the same number of failures', () => {
    const { circuit } = start();
    repeat(4, () => call(circuit, 'broken', 'failure'));
    expect(circuit.refusedForMs('broken')).toBe(0);
    call(circuit, 'broken', 'failure');
    expect(circuit.refusedForMs('broken')).toBe(1000);
    expect(call(circuit, 'broken', 'success')).toBe(false);
  });

  it('admits one probe of the clientId that failed', () => {
    const { circuit, clock } = start();
    repeat(5, () => call(circuit, 'broken', 'failure'));
    clock.advance(1000);
    const probe = circuit.admit('broken');
    expect(probe.kind).toBe('admitted');
    expect(circuit.admit('broken').kind).toBe('refused');
    expect(circuit.admit('fine').kind).toBe('admitted');
    if (probe.kind === 'admitted') probe.done('success');
    expect(circuit.refusedForMs('broken')).toBe(0);
  });

  it('opens for all clients when several clientIds fail, each counted once', () => {
    const { circuit } = start();
    repeat(4, (i) => call(circuit, `client-${i}`, 'failure'));
    repeat(4, (i) => call(circuit, `client-${i}`, 'failure'));
    expect(circuit.refusedForMs('fine')).toBe(0);
    call(circuit, 'client-5', 'failure');
    expect(circuit.refusedForMs('fine')).toBe(1000);
  });

  it('counts concurrent calls of one clientId once', () => {
    const { circuit } = start();
    const admissions = Array.from({ length: 60 }, () => circuit.admit('slow'));
    for (const admission of admissions) if (admission.kind === 'admitted') admission.done('failure');
    expect(circuit.refusedForMs('slow')).toBe(1000);
    expect(circuit.refusedForMs('fine')).toBe(0);
  });

  it('counts a clientId again once the window is over', () => {
    const { circuit, clock } = start();
    repeat(4, (i) => call(circuit, `client-${i}`, 'failure'));
    clock.advance(limits.windowMs);
    call(circuit, 'client-0', 'failure');
    expect(circuit.refusedForMs('fine')).toBe(1000);
  });

  it('is not kept open by a clientId whose own calls fail', () => {
    const { circuit, clock } = start();
    repeat(5, (i) => call(circuit, `client-${i}`, 'failure'));
    for (let round = 0; round < 3; round += 1) {
      clock.advance(circuit.refusedForMs('fine'));
      expect(call(circuit, 'client-0', 'failure')).toBe(true);
      expect(circuit.refusedForMs('fine')).toBe(1000);
    }
    clock.advance(1000);
    expect(call(circuit, 'fine', 'success')).toBe(true);
    expect(circuit.state()).toBe('closed');
  });

  it('remembers a limited number of clientIds', () => {
    const { circuit } = start();
    repeat(5, () => call(circuit, 'broken', 'failure'));
    repeat(1000, (i) => {
      repeat(2, () => call(circuit, 'fine', 'success'));
      call(circuit, `other-${i}`, 'failure');
    });
    expect(circuit.refusedForMs('broken')).toBe(0);
  });

  it('reports the circuit of a clientId while no call succeeds, and each change once', () => {
    const { circuit, clock, changes } = start();
    repeat(5, () => call(circuit, 'only', 'failure'));
    expect(circuit.state()).toBe('open');
    clock.advance(1000);
    expect(circuit.state()).toBe('half_open');
    call(circuit, 'only', 'success');
    expect(circuit.state()).toBe('closed');
    expect(changes).toEqual(['open', 'half_open', 'closed']);

    repeat(5, () => call(circuit, 'only', 'failure'));
    call(circuit, 'another', 'success');
    expect(circuit.state()).toBe('closed');
    expect(changes).toEqual(['open', 'half_open', 'closed', 'open', 'closed']);
  });
});
