// Estimates how long calls take, and so when a place becomes free, from completed calls and from the age of hanging
// ones. Prefers a short estimate, so that no call is refused that could have been sent.
import type { Clock } from '../clock.ts';

export interface ServiceTime {
  /** Starts a call. Call the returned function exactly once when it ends. */
  readonly begin: () => () => void;
  readonly running: () => number;
  /** The duration of a call in milliseconds; 0 while unknown. */
  readonly callMs: () => number;
  /** Milliseconds from the end of one call to the end of the next; 0 while unknown. */
  readonly msBetweenEnds: () => number;
}

/** So many calls must have ended before anything is known: the shortest of them, as the first ones open connections. */
const firstCalls = 10;

/**
 * The weight of one call after that: calls that take longer count only when there are many, so that a busy moment is
 * soon forgotten.
 */
const weight = { longer: 0.05, shorter: 0.5 };

/** A call hangs if it has run for this long, and for four times the usual duration. */
const hangsAfterMs = 500;

export function createServiceTime(clock: Pick<Clock, 'monotonic'>): ServiceTime {
  const running = new Set<{ readonly since: number }>();
  let callMs = 0;
  let ended = 0;
  let shortestMs = Infinity;

  const learn = (tookMs: number): void => {
    ended += 1;
    shortestMs = Math.min(shortestMs, tookMs);
    if (ended === firstCalls) callMs = shortestMs;
    else if (ended > firstCalls) callMs += (tookMs > callMs ? weight.longer : weight.shorter) * (tookMs - callMs);
  };

  return {
    running: () => running.size,
    callMs: () => callMs,
    begin: () => {
      const call = { since: clock.monotonic() };
      running.add(call);
      return () => {
        running.delete(call);
        learn(clock.monotonic() - call.since);
      };
    },
    msBetweenEnds: () => {
      const now = clock.monotonic();
      let endsPerMs = 0;
      for (const { since } of running) {
        const hangs = now - since > Math.max(hangsAfterMs, 4 * callMs);
        endsPerMs += 1 / (hangs ? now - since : callMs);
      }
      return endsPerMs === 0 ? 0 : 1 / endsPerMs;
    },
  };
}
