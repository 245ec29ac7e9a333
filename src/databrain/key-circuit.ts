// The circuit of one API key. A fault that one clientId causes must not block all others, so each clientId with failed
// calls has its own circuit, and its failures count once per window for the API key.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import {
  createCircuit,
  type Admission,
  type CallResult,
  type Circuit,
  type CircuitLimits,
  type CircuitState,
} from './circuit.ts';

export interface KeyCircuit {
  /** Requests to send one call for this clientId now. If admitted, call `done` exactly once. */
  readonly admit: (clientId: string) => Admission;
  /** Milliseconds until a call for this clientId would be admitted; 0 for now. Changes nothing. */
  readonly refusedForMs: (clientId: string) => number;
  /** The state of the API key; while that is closed, of the clientId that opened last, until a call succeeds. */
  readonly state: () => CircuitState;
}

interface KeyCircuitOptions extends CircuitLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onChange: (state: CircuitState) => void;
}

interface FailingClient {
  readonly circuit: Circuit;
  /** When its last failure counted for the API key. */
  countedAt: number;
}

/** The least recently seen ones are forgotten first. */
const maxFailingClients = 1000;

export function createKeyCircuit({ clock, onChange, ...limits }: KeyCircuitOptions): KeyCircuit {
  const whole = createCircuit({ ...limits, clock });
  const failing = new LRUCache<string, FailingClient>({ max: maxFailingClients });
  let lastToOpen: Circuit | undefined;
  let reported: CircuitState = 'closed';

  const state = (): CircuitState => {
    const ofKey = whole.state();
    return ofKey === 'closed' ? (lastToOpen?.state() ?? 'closed') : ofKey;
  };

  const report = (): void => {
    const now = state();
    if (now === reported) return;
    reported = now;
    onChange(now);
  };

  /** How a failure of this clientId counts for the API key. */
  const countFailure = (clientId: string, own: Admission | undefined): CallResult => {
    const now = clock.monotonic();
    const known = failing.get(clientId);
    const client = known ?? { circuit: createCircuit({ ...limits, clock }), countedAt: -Infinity };
    failing.set(clientId, client);
    const admission = own ?? client.circuit.admit();
    if (admission.kind === 'admitted') admission.done('failure');
    if (client.circuit.state() === 'open') lastToOpen = client.circuit;
    if (now - client.countedAt < limits.windowMs) return 'repeated_failure';
    client.countedAt = now;
    return 'failure';
  };

  const settle = (clientId: string, result: CallResult, own: Admission | undefined): CallResult => {
    if (result === 'failure') return countFailure(clientId, own);
    if (own?.kind === 'admitted') own.done(result);
    if (result !== 'not_sent') lastToOpen = undefined;
    return result;
  };

  const refusedForMs = (clientId: string): number => {
    const ofKey = whole.refusedForMs();
    if (ofKey > 0 || failing.size === 0) return ofKey;
    return failing.get(clientId)?.circuit.refusedForMs() ?? 0;
  };

  return {
    state,
    refusedForMs,
    admit: (clientId) => {
      const retryAfterMs = refusedForMs(clientId);
      if (retryAfterMs > 0) return { kind: 'refused', retryAfterMs };
      const own = failing.size === 0 ? undefined : failing.get(clientId)?.circuit.admit();
      const ofKey = whole.admit();
      report();
      if (ofKey.kind === 'refused') return ofKey;
      return {
        kind: 'admitted',
        done: (result) => {
          ofKey.done(settle(clientId, result, own));
          report();
        },
      };
    },
  };
}
