// Counts rate limits in this process, in bounded memory. The window slides, so that no boundary permits a double burst.
// A flood of other keys never removes a key that still counts: if the table is full, new keys share a fixed number of
// counters, which may count too much but never too little.
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';

export interface Limit {
  /** Requests allowed in any interval of the window's length. */
  readonly max: number;
  readonly windowMs: number;
}

export interface Taken {
  readonly allowed: boolean;
  /** Requests counted in the window, this one included if it was allowed. */
  readonly used: number;
  /** Milliseconds until a counted request leaves the window and another is allowed; more than 0. */
  readonly freesInMs: number;
}

/** Counts requests per key. Refused requests are not counted, so after `freesInMs` a request is allowed. */
export interface LimitCounter {
  /** Counts one request of `key`, if the limit allows it. */
  readonly take: (key: string, limit: Limit) => Taken;
  /** The result of `take`, without counting. */
  readonly peek: (key: string, limit: Limit) => Taken;
}

/** The resolution of a window: enough to be exact for bursts, few enough to be small. */
export const stepsPerWindow = 16;

/**
 * A step: requests close together, which leave the window together with the last of them. Three numbers each: the times
 * of its first and last request and their count. The oldest step comes first.
 */
type Steps = number[];
const stepLength = 3;

/** How often expired keys are removed. */
const forgettingsPerWindow = 64;

interface MemoryCounterOptions {
  readonly clock: Clock;
  /** The number of keys with their own counter. Keys should be short, because they are stored. */
  readonly maxKeys: number;
  /** The number of counters that new keys share while the table is full. */
  readonly sharedCounters: number;
  /** Steps of all keys together beyond one each; without room for another one, a request joins the latest step. */
  readonly maxFurtherSteps: number;
}

const latestAt = (steps: Steps): number => steps[steps.length - 2] ?? Number.NEGATIVE_INFINITY;

function sum(steps: Steps): number {
  let total = 0;
  for (let index = 2; index < steps.length; index += stepLength) total += steps[index] ?? 0;
  return total;
}

/** Milliseconds until enough steps have left the window for one more request. */
function timeToRoom(steps: Steps, used: number, { max, windowMs }: Limit, now: number): number {
  let left = used;
  for (let index = 0; index < steps.length; index += stepLength) {
    left -= steps[index + 2] ?? 0;
    if (left < max) return (steps[index + 1] ?? now) + windowMs - now;
  }
  return windowMs;
}

/** A table for one limit: all calls must use the same window. */
export function createMemoryCounter(options: MemoryCounterOptions): LimitCounter {
  const { clock, maxKeys, sharedCounters, maxFurtherSteps } = options;
  // Ordered by the last counted request, because each moves its key to the end.
  const table = new Map<string, Steps>();
  const shared = new Map<number, Steps>();
  const salt = randomBytes(16);
  let furtherSteps = 0;
  let forgottenAt = Number.NEGATIVE_INFINITY;

  const further = (steps: Steps): number => Math.max(0, steps.length / stepLength - 1);

  const sharedSlot = (key: string): number =>
    createHmac('sha256', salt).update(key).digest().readUInt32LE(0) % sharedCounters;

  function dropExpired(steps: Steps, since: number): void {
    let expired = 0;
    while (expired < steps.length && (steps[expired + 1] ?? 0) <= since) expired += stepLength;
    if (expired === 0) return;
    const before = further(steps);
    steps.splice(0, expired);
    furtherSteps -= before - further(steps);
  }

  /** Not on every call: in a Map with many deletions, finding the first entry is slow. */
  function forgetExpired(now: number, windowMs: number): void {
    if (now - forgottenAt < windowMs / forgettingsPerWindow) return;
    forgottenAt = now;
    const since = now - windowMs;
    for (const [key, steps] of table) {
      if (latestAt(steps) > since) return;
      furtherSteps -= further(steps);
      table.delete(key);
    }
  }

  /** The steps with one more request. A new array, because `push` allocates room for more. */
  function record(steps: Steps, now: number, windowMs: number): Steps {
    const latest = steps.length - stepLength;
    const isClose = latest >= 0 && now - (steps[latest] ?? 0) < windowMs / stepsPerWindow;
    if (isClose || (latest >= 0 && furtherSteps >= maxFurtherSteps)) {
      steps[latest + 1] = now;
      steps[latest + 2] = (steps[latest + 2] ?? 0) + 1;
      return steps;
    }
    if (latest < 0) return [now, now, 1];
    furtherSteps += 1;
    return [...steps, now, now, 1];
  }

  /** The counter of a key: its own, or the shared one until that has expired. */
  function rowOf(key: string, since: number): { steps: Steps; slot?: number } {
    const own = table.get(key);
    if (own !== undefined) {
      dropExpired(own, since);
      return { steps: own };
    }
    if (shared.size === 0 && table.size < maxKeys) return { steps: [] };
    const slot = sharedSlot(key);
    const steps = shared.get(slot) ?? [];
    dropExpired(steps, since);
    if (steps.length > 0) return { steps, slot };
    shared.delete(slot);
    return table.size < maxKeys ? { steps } : { steps, slot };
  }

  const stateAt = (steps: Steps, limit: Limit, now: number): Taken => {
    const used = sum(steps);
    return { allowed: used < limit.max, used, freesInMs: timeToRoom(steps, used, limit, now) };
  };

  return {
    peek: (key, limit) => {
      const now = clock.monotonic();
      return stateAt(rowOf(key, now - limit.windowMs).steps, limit, now);
    },

    take: (key, limit) => {
      const now = clock.monotonic();
      forgetExpired(now, limit.windowMs);
      const { steps, slot } = rowOf(key, now - limit.windowMs);
      const before = stateAt(steps, limit, now);
      if (!before.allowed) return before;
      const after = record(steps, now, limit.windowMs);
      if (slot === undefined) {
        table.delete(key);
        table.set(key, after);
      } else {
        shared.set(slot, after);
      }
      return { allowed: true, used: before.used + 1, freesInMs: timeToRoom(after, before.used + 1, limit, now) };
    },
  };
}
