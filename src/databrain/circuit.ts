// Stops calling an upstream that is down: closed → open on consecutive failures or on their share, then one probe at
// a time decides. Knows nothing of HTTP; the caller says what a call came to.
import type { Clock } from '../clock.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/** `success` and `failure` count; `answered` proves that the upstream lives without saying that all is well (4xx). */
export type CallResult = 'success' | 'failure' | 'answered' | 'not_sent';

export type Admission =
  | { readonly kind: 'admitted'; readonly done: (result: CallResult) => void }
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

export interface Circuit {
  /** Asks to send one call now. Whoever is admitted calls `done` exactly once. */
  readonly admit: () => Admission;
  /** How long no call would be admitted, 0 if one would; takes nothing. */
  readonly refusedForMs: () => number;
  /** `open` exactly while calls are refused without a probe on its way; `half_open` as soon as one would be admitted. */
  readonly state: () => CircuitState;
}

export interface CircuitOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Failures in a row that open it. */
  readonly consecutiveFailures: number;
  /** Share of failures within the window that opens it, 0–1, once `minimumCalls` were counted. */
  readonly failureShare: number;
  readonly minimumCalls: number;
  readonly windowMs: number;
  /** How long it stays open the first time; doubles with each failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly onChange: (state: CircuitState) => void;
}

const slices = 10;

export function createCircuit(options: CircuitOptions): Circuit {
  const { clock, windowMs } = options;
  let state: CircuitState = 'closed';
  let openedAt = 0;
  let openFor = options.openMs;
  let probing = false;
  let inARow = 0;
  /** Results that belong to an earlier period (a call sent before it opened) must not decide a later one. */
  let period = 0;
  let window: { slice: number; successes: number; failures: number }[] = [];

  const enter = (next: CircuitState): void => {
    if (next === state) return;
    state = next;
    period += 1;
    probing = false;
    options.onChange(next);
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
    window = window.filter((entry) => entry.slice > slice - slices);
    let current = window.at(-1);
    if (current?.slice !== slice) {
      current = { slice, successes: 0, failures: 0 };
      window.push(current);
    }
    current[failed ? 'failures' : 'successes'] += 1;
    inARow = failed ? inARow + 1 : 0;
    const failures = window.reduce((sum, entry) => sum + entry.failures, 0);
    const total = window.reduce((sum, entry) => sum + entry.successes, failures);
    const shareReached = total >= options.minimumCalls && failures >= options.failureShare * total;
    if (failed && (inARow >= options.consecutiveFailures || shareReached)) open();
  };

  const settle = (result: CallResult, sentIn: number): void => {
    if (sentIn !== period) return;
    if (state === 'closed') {
      if (result === 'success' || result === 'failure') count(result === 'failure');
      return;
    }
    if (result === 'not_sent') {
      probing = false;
    } else if (result === 'failure') {
      openFor = Math.min(openFor * 2, options.maxOpenMs);
      open();
    } else {
      close();
    }
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
