// Rate limits counted in this process, in bounded memory. The window slides, so that no border lets a double burst
// through; and no flood of other keys can make it forget a key: when the table is full of keys that still count,
// newcomers share a fixed number of counters, which can only count too much, never too little.
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { stepsPerWindow, type Limit, type LimitCounter, type Taken } from './limit.ts';

/**
 * Requests that came close together leave the window together, when the last of them does: a step. Each takes three
 * numbers, the times of its first and its last request and their count; the oldest step comes first.
 */
type Steps = number[];
const stepLength = 3;

/** How often keys that have run out are looked for. */
const forgettingsPerWindow = 64;

interface MemoryCounterOptions {
  readonly clock: Clock;
  /** Keys counted one by one. Their texts should be short: they are kept as they are. */
  readonly maxKeys: number;
  /** Counters that newcomers share while the table is full. */
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

/** How long until so many steps have left that one more request fits. */
function timeToRoom(steps: Steps, used: number, { max, windowMs }: Limit, now: number): number {
  let left = used;
  for (let index = 0; index < steps.length; index += stepLength) {
    left -= steps[index + 2] ?? 0;
    if (left < max) return (steps[index + 1] ?? now) + windowMs - now;
  }
  return windowMs;
}

/** One table for one limit: all calls must name the same window. */
export function createMemoryCounter(options: MemoryCounterOptions): LimitCounter {
  const { clock, maxKeys, sharedCounters, maxFurtherSteps } = options;
  // In order of the last counted request, because every counted request moves its key to the end.
  const table = new Map<string, Steps>();
  const shared = new Map<number, Steps>();
  const salt = randomBytes(16);
  let furtherSteps = 0;
  let forgottenAt = Number.NEGATIVE_INFINITY;

  const further = (steps: Steps): number => Math.max(0, steps.length / stepLength - 1);

  const sharedSlot = (key: string): number =>
    createHmac('sha256', salt).update(key).digest().readUInt32LE(0) % sharedCounters;

  function dropPassed(steps: Steps, since: number): void {
    let passed = 0;
    while (passed < steps.length && (steps[passed + 1] ?? 0) <= since) passed += stepLength;
    if (passed === 0) return;
    const before = further(steps);
    steps.splice(0, passed);
    furtherSteps -= before - further(steps);
  }

  /** Not on every call: a Map that is deleted from and added to all the time takes long to show its first entry. */
  function forgetPassed(now: number, windowMs: number): void {
    if (now - forgottenAt < windowMs / forgettingsPerWindow) return;
    forgottenAt = now;
    const since = now - windowMs;
    for (const [key, steps] of table) {
      if (latestAt(steps) > since) return;
      furtherSteps -= further(steps);
      table.delete(key);
    }
  }

  /** The steps with one more request. A new array, because one that is pushed to takes room for many more. */
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

  /** Where a key is counted: its own row, or, once it had to share, the shared counter until that has run out. */
  function rowOf(key: string, since: number): { steps: Steps; slot?: number } {
    const own = table.get(key);
    if (own !== undefined) {
      dropPassed(own, since);
      return { steps: own };
    }
    if (shared.size === 0 && table.size < maxKeys) return { steps: [] };
    const slot = sharedSlot(key);
    const steps = shared.get(slot) ?? [];
    dropPassed(steps, since);
    if (steps.length > 0) return { steps, slot };
    shared.delete(slot);
    return table.size < maxKeys ? { steps } : { steps, slot };
  }

  const judge = (steps: Steps, limit: Limit, now: number): Taken => {
    const used = sum(steps);
    return { allowed: used < limit.max, used, freesInMs: timeToRoom(steps, used, limit, now) };
  };

  return {
    look: (key, limit) => {
      const now = clock.monotonic();
      return judge(rowOf(key, now - limit.windowMs).steps, limit, now);
    },

    take: (key, limit) => {
      const now = clock.monotonic();
      forgetPassed(now, limit.windowMs);
      const { steps, slot } = rowOf(key, now - limit.windowMs);
      const before = judge(steps, limit, now);
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
