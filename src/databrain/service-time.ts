// How long calls take, and so how long it takes until a place is free: learnt from the calls that ended, and from the
// age of those that run, as a call that has run for long is not expected to end soon.
import type { Clock } from '../clock.ts';

export interface ServiceTime {
  /** A call begins. The result ends it and must be called exactly once. */
  readonly begin: () => () => void;
  readonly running: () => number;
  /** What a call took lately, in milliseconds; 0 while nothing is known. */
  readonly callMs: () => number;
  /** Milliseconds from one place that becomes free to the next. */
  readonly turnMs: () => number;
}

/** The weight of the newest call in the average. */
const newest = 0.1;

export function createServiceTime(clock: Pick<Clock, 'monotonic'>): ServiceTime {
  const running = new Set<{ readonly since: number }>();
  let average = 0;

  return {
    running: () => running.size,
    callMs: () => average,
    begin: () => {
      const call = { since: clock.monotonic() };
      running.add(call);
      return () => {
        running.delete(call);
        const tookMs = clock.monotonic() - call.since;
        average = average === 0 ? tookMs : average + newest * (tookMs - average);
      };
    },
    turnMs: () => {
      const now = clock.monotonic();
      let endsPerMs = 0;
      for (const { since } of running) endsPerMs += 1 / Math.max(average, now - since);
      return endsPerMs === 0 ? average : 1 / endsPerMs;
    },
  };
}
