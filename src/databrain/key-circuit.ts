// The circuit of one API key. A fault that follows from what one clientId asks for must not close the door to all, so
// each clientId whose calls failed has a circuit of its own, and its failures count once in a window for the API key.
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
  /** Asks to send one call for this clientId now. Whoever is admitted calls `done` exactly once. */
  readonly admit: (clientId: string) => Admission;
  /** How long no call for this clientId would be admitted, 0 if one would; takes nothing. */
  readonly refusedForMs: (clientId: string) => number;
  /** The API key's; while that is closed, the one of the clientId that opened last, until any call succeeds. */
  readonly state: () => CircuitState;
}

interface KeyCircuitOptions extends CircuitLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onChange: (state: CircuitState) => void;
}

interface FailingClient {
  readonly circuit: Circuit;
  /** When a failure of it last counted for the API key. */
  countedAt: number;
}

/** The ones that were seen longest ago are forgotten first. */
const maxFailingClients = 1000;

export function createKeyCircuit({ clock, onChange, ...limits }: KeyCircuitOptions): KeyCircuit {
  const whole = createCircuit({ ...limits, clock });
  const failing = new LRUCache<string, FailingClient>({ max: maxFailingClients });
  let lastToOpen: Circuit | undefined;
  let told: CircuitState = 'closed';

  const state = (): CircuitState => {
    const ofKey = whole.state();
    return ofKey === 'closed' ? (lastToOpen?.state() ?? 'closed') : ofKey;
  };

  const tell = (): void => {
    const now = state();
    if (now === told) return;
    told = now;
    onChange(now);
  };

  /** What a failure of this clientId means for the API key. */
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
      tell();
      if (ofKey.kind === 'refused') return ofKey;
      return {
        kind: 'admitted',
        done: (result) => {
          ofKey.done(settle(clientId, result, own));
          tell();
        },
      };
    },
  };
}
