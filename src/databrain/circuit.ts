// A circuit breaker: opens after consecutive failures or a share of failures, then probes with one call at a time.
// Knows nothing about HTTP; the caller reports the result of each call.
import type { Clock } from '../clock.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/**
 * - `success`, `failure`: count;
 * - `answered`: proves that the upstream is reachable, without being a success (4xx);
 * - `repeated_failure`: of a clientId whose failure was counted already: neither a new failure nor a success;
 * - `not_sent`: no result.
 */
export type CallResult = 'success' | 'failure' | 'answered' | 'repeated_failure' | 'not_sent';

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
      let settled = false;
      return {
        kind: 'admitted',
        done: (result) => {
          if (settled) return;
          settled = true;
          settle(result, sentIn);
        },
      };
    },
  };
}
