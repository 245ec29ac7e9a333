// The circuit of an API key: opens after consecutive failures or a share of failures, then probes with one call at a
// time. A fault that one clientId causes must not block all others, so each clientId with failed calls has its own
// circuit, and its failures count once per window for the API key. Knows nothing about HTTP.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/**
 * - `success`, `failure`: count;
 * - `responded`: proves that the upstream is reachable, without being a success (4xx);
 * - `repeated_failure`: of a clientId whose failure was counted already: neither a new failure nor a success;
 * - `not_sent`: no result.
 */
export type CallResult = 'success' | 'failure' | 'responded' | 'repeated_failure' | 'not_sent';

export type Admission =
  | { readonly kind: 'admitted'; readonly done: (result: CallResult) => void }
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

export interface Circuit {
  /** Requests to send one call now. If admitted, call `done` exactly once. */
  readonly admit: () => Admission;
  /** Milliseconds until a call would be admitted; 0 for now. Changes nothing. */
  readonly refusedForMs: () => number;
  /** `open` while calls are refused and no probe is running; `half_open` as soon as a probe would be admitted. */
  readonly state: () => CircuitState;
}

export interface CircuitLimits {
  /** Consecutive failures that open it. */
  readonly consecutiveFailures: number;
  /** Share of failures in the window that opens it, 0–1, after at least `minimumCalls`. */
  readonly failureShare: number;
  readonly minimumCalls: number;
  readonly windowMs: number;
  /** How long it first stays open; doubles with each failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

interface CircuitOptions extends CircuitLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
}

const slices = 10;

/** One circuit breaker. The caller reports the result of each call. */
export function createCircuit(options: CircuitOptions): Circuit {
  const { clock, windowMs } = options;
  let state: CircuitState = 'closed';
  let openedAt = 0;
  let openFor = options.openMs;
  let probing = false;
  let inARow = 0;
  /** Results of calls from before the last change of state are ignored. */
  let period = 0;
  let window: { readonly slice: number; calls: number; failures: number }[] = [];

  const enter = (next: CircuitState): void => {
    if (next === state) return;
    state = next;
    period += 1;
    probing = false;
  };

  const open = (): void => {
    openedAt = clock.monotonic();
    enter('open');
  };

  const close = (): void => {
    inARow = 0;
    window = [];
    openFor = options.openMs;
    enter('closed');
  };

  const count = (failed: boolean): void => {
    const slice = Math.floor((clock.monotonic() * slices) / windowMs);
    let current = window.at(-1);
    if (current?.slice !== slice) {
      window = window.filter((entry) => entry.slice > slice - slices);
      current = { slice, calls: 0, failures: 0 };
      window.push(current);
    }
    current.calls += 1;
    inARow = failed ? inARow + 1 : 0;
    if (!failed) return;
    current.failures += 1;
    const failures = window.reduce((sum, entry) => sum + entry.failures, 0);
    const calls = window.reduce((sum, entry) => sum + entry.calls, 0);
    const shareReached = calls >= options.minimumCalls && failures >= options.failureShare * calls;
    if (inARow >= options.consecutiveFailures || shareReached) open();
  };

  const settleProbe = (result: CallResult): void => {
    if (result === 'not_sent') {
      probing = false;
    } else if (result === 'failure' || result === 'repeated_failure') {
      openFor = result === 'failure' ? Math.min(openFor * 2, options.maxOpenMs) : options.openMs;
      open();
    } else {
      close();
    }
  };

  const settle = (result: CallResult, sentIn: number): void => {
    if (sentIn !== period) return;
    if (state !== 'closed') settleProbe(result);
    else if (result === 'success' || result === 'failure') count(result === 'failure');
  };

  const refusedForMs = (): number => {
    if (state === 'open') return Math.max(0, openedAt + openFor - clock.monotonic());
    return state === 'half_open' && probing ? options.openMs : 0;
  };

  return {
    state: () => (state === 'open' && refusedForMs() === 0 ? 'half_open' : state),
    refusedForMs,
    admit: () => {
      const retryAfterMs = refusedForMs();
      if (retryAfterMs > 0) return { kind: 'refused', retryAfterMs };
      if (state === 'open') enter('half_open');
      if (state === 'half_open') probing = true;
      const sentIn = period;
      return { kind: 'admitted', done: (result) => settle(result, sentIn) };
    },
  };
}

/** The circuit of an API key, with one for each clientId that fails. */
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

/** The least recently seen ones are removed first. */
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
