// Rate limits counted in this process, in bounded memory. The window slides, so that no border lets a double burst
// through; and no flood of other keys can make it forget a key: when the table is full of keys that still count,
// newcomers share a fixed number of counters, which can only count too much, never too little.
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { stepsPerWindow, type Limit, type LimitCounter, type Taken } from './limit.ts';

/** Requests that came close together. They leave the window together, when the last of them does. */
interface Step {
  readonly firstAt: number;
  lastAt: number;
  count: number;
}

type Steps = Step[];

interface MemoryCounterOptions {
  readonly clock: Clock;
  /** Keys counted one by one. */
  readonly maxKeys: number;
  /** Counters that newcomers share while the table is full. */
  readonly sharedCounters: number;
}

const dropPassed = (steps: Steps, since: number): void => {
  let passed = 0;
  for (const step of steps) {
    if (step.lastAt > since) break;
    passed += 1;
  }
  if (passed > 0) steps.splice(0, passed);
};

const sum = (steps: Steps): number => {
  let total = 0;
  for (const step of steps) total += step.count;
  return total;
};

/** How long until so many steps have left that one more request fits. */
const timeToRoom = (steps: Steps, used: number, { max, windowMs }: Limit, now: number): number => {
  let left = used;
  for (const step of steps) {
    left -= step.count;
    if (left < max) return step.lastAt + windowMs - now;
  }
  return windowMs;
};

const record = (steps: Steps, now: number, windowMs: number): void => {
  const latest = steps.at(-1);
  if (latest !== undefined && now - latest.firstAt < windowMs / stepsPerWindow) {
    latest.lastAt = now;
    latest.count += 1;
  } else {
    steps.push({ firstAt: now, lastAt: now, count: 1 });
  }
};

/** One table for one limit: all calls must name the same window. */
export function createMemoryCounter({ clock, maxKeys, sharedCounters }: MemoryCounterOptions): LimitCounter {
  // In order of the last counted request, because every counted request moves its key to the end.
  const table = new Map<string, Steps>();
  const shared = new Map<number, Steps>();
  const salt = randomBytes(16);

  const sharedSlot = (key: string): number =>
    createHmac('sha256', salt).update(key).digest().readUInt32LE(0) % sharedCounters;

  const forgetPassed = (since: number): void => {
    for (const [key, steps] of table) {
      const latest = steps.at(-1);
      if (latest !== undefined && latest.lastAt > since) return;
      table.delete(key);
    }
  };

  /** Where a key is counted: its own row, or, once it had to share, the shared counter until that has run out. */
  const rowOf = (key: string, since: number): { steps: Steps; slot?: number } => {
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
  };

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
      forgetPassed(now - limit.windowMs);
      const { steps, slot } = rowOf(key, now - limit.windowMs);
      const before = judge(steps, limit, now);
      if (!before.allowed) return before;
      record(steps, now, limit.windowMs);
      if (slot === undefined) {
        table.delete(key);
        table.set(key, steps);
      } else {
        shared.set(slot, steps);
      }
      return { allowed: true, used: before.used + 1, freesInMs: timeToRoom(steps, before.used + 1, limit, now) };
    },
  };
}
