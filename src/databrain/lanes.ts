// State per API key, so that one data app's problems do not affect others: circuit, call rate, queue and retries.
// Shared state: the places, and one call rate for the upstream's limit per address.
//
// A 429 does not show whether the key or our address is limited. It first counts for its key. If a second key is
// limited within `sameLimitMs`, it is the address, and the rate of all calls is lowered too.
import type { Clock } from '../clock.ts';
import { createCallQueue, type KeyQueue } from './call-queue.ts';
import { createCallRate, type CallRate, type CallRateLimits } from './call-rate.ts';
import { createKeyCircuit, type CircuitLimits, type CircuitState, type KeyCircuit } from './circuit.ts';
import { createRetryBudget, type RetryBudget } from './retry.ts';

export interface Lane {
  readonly circuit: KeyCircuit;
  readonly queue: KeyQueue;
  readonly retryBudget: RetryBudget;
  /** Milliseconds until the rate lets the next call through. */
  readonly rateWaitMs: () => number;
  /** The upstream responded with 429 to a call that was sent at `sentAt` (monotonic milliseconds). */
  readonly limited: (sentAt: number, retryAfterMs: number | undefined) => void;
}

export interface Lanes {
  /** The lane of the API key in this setting. */
  readonly of: (apiKeyName: string) => Lane;
  readonly close: () => void;
}

export interface LaneLimits {
  /** Concurrent calls. */
  readonly maxConcurrent: number;
  readonly maxConcurrentPerKey: number;
  readonly maxWaiting: number;
  readonly retryShare: number;
  readonly retryReserve: number;
  readonly retryQuietMs: number;
  readonly sameLimitMs: number;
  readonly circuit: CircuitLimits;
  readonly rate: CallRateLimits;
}

/** Events for metrics and log. */
export interface LaneEvents {
  /** The circuit of the API key of this setting changed; `worst` is the state of all of them together. */
  readonly circuit: (state: CircuitState, apiKeyName: string, worst: CircuitState) => void;
  /**
   * The upstream limits the API key of this setting or, without a name, our address. From now on at most this many
   * calls per second are sent.
   */
  readonly slowedDown: (callsPerSecond: number, apiKeyName: string | undefined) => void;
}

interface LanesOptions extends LaneLimits {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly minCallMs: number;
  readonly events: LaneEvents;
}

export function createLanes(options: LanesOptions): Lanes {
  const { clock, events } = options;
  const lanes = new Map<string, Lane>();
  const limitedAt = new Map<string, number>();
  const sharedRate = createCallRate({ ...options.rate, clock });
  const queue = createCallQueue({ ...options, rate: sharedRate });

  const worstCircuit = (): CircuitState => {
    const states = [...lanes.values()].map(({ circuit }) => circuit.state());
    return states.find((state) => state === 'open') ?? states.find((state) => state === 'half_open') ?? 'closed';
  };

  const limit = (name: string, rate: CallRate, sentAt: number, retryAfterMs: number | undefined): void => {
    const now = clock.monotonic();
    const isOfAddress = [...limitedAt].some(([other, at]) => other !== name && now - at < options.sameLimitMs);
    limitedAt.set(name, now);
    rate.limited(sentAt, retryAfterMs);
    events.slowedDown(rate.callsPerSecond(), name);
    if (isOfAddress) {
      sharedRate.limited(sentAt, retryAfterMs);
      events.slowedDown(sharedRate.callsPerSecond(), undefined);
    }
    queue.reconsider();
  };

  const create = (name: string): Lane => {
    const rate = createCallRate({ ...options.rate, clock });
    const lane: Lane = {
      circuit: createKeyCircuit({
        ...options.circuit,
        clock,
        onChange: (state) => events.circuit(state, name, worstCircuit()),
      }),
      queue: queue.createKeyQueue(rate),
      retryBudget: createRetryBudget({
        clock,
        share: options.retryShare,
        reserve: options.retryReserve,
        quietMs: options.retryQuietMs,
      }),
      rateWaitMs: () => Math.max(rate.waitMs(), sharedRate.waitMs()),
      limited: (sentAt, retryAfterMs) => limit(name, rate, sentAt, retryAfterMs),
    };
    lanes.set(name, lane);
    return lane;
  };

  return { of: (name) => lanes.get(name) ?? create(name), close: queue.close };
}
