// How fast calls may be sent: as fast as they come until the upstream says 429, then half as fast, then twice as fast
// again every `doublingMs`, until no limit is in sight.
import type { Clock } from '../clock.ts';

export interface CallRate {
  /** Milliseconds until the next call may be sent; 0 for now. */
  readonly waitMs: () => number;
  /** How long a call would wait that has `ahead` others before it, if nothing changes. */
  readonly projectedWaitMs: (ahead: number) => number;
  readonly sent: () => void;
  /** The upstream said 429 to a call that was sent at `sentAt` (monotonic milliseconds). */
  readonly limited: (sentAt: number, retryAfterMs: number | undefined) => void;
  /** Infinity while nothing limits. */
  readonly callsPerSecond: () => number;
}

export interface CallRateLimits {
  /** It never goes slower than this. */
  readonly minPerSecond: number;
  /** The rate that is assumed to have been too high at the first 429, if fewer calls than that were made. */
  readonly assumedPerSecond: number;
  readonly doublingMs: number;
  /** A `Retry-After` stops everybody for this long at most; then single calls probe at the slowest rate. */
  readonly maxPauseMs: number;
}

const measuredMs = 5000;
/** A rate that no upstream limit of this kind is near: the brake is off again. */
const freeAbove = 200;

export function createCallRate({ clock, ...limits }: CallRateLimits & { clock: Pick<Clock, 'monotonic'> }): CallRate {
  let cut: { readonly at: number; readonly perSecond: number } | undefined;
  let pausedUntil = -Infinity;
  let lastSentAt = -Infinity;
  let measuredSince = clock.monotonic();
  let calls = 0;
  /** Calls in the stretch before this one. */
  let callsBefore = 0;

  const measure = (now: number): void => {
    const stretches = Math.floor((now - measuredSince) / measuredMs);
    if (stretches < 1) return;
    callsBefore = stretches === 1 ? calls : 0;
    calls = 0;
    measuredSince = now;
  };

  const callsPerSecond = (): number => {
    if (cut === undefined) return Infinity;
    const rate = cut.perSecond * 2 ** ((clock.monotonic() - cut.at) / limits.doublingMs);
    if (rate > freeAbove) cut = undefined;
    return cut === undefined ? Infinity : rate;
  };

  const waitMs = (): number => {
    if (cut === undefined && pausedUntil === -Infinity) return 0;
    const nextAt = Math.max(lastSentAt + 1000 / callsPerSecond(), pausedUntil);
    return Math.max(0, nextAt - clock.monotonic());
  };

  return {
    callsPerSecond,
    waitMs,
    projectedWaitMs: (ahead) => waitMs() + (ahead * 1000) / callsPerSecond(),
    sent: () => {
      lastSentAt = clock.monotonic();
      measure(lastSentAt);
      calls += 1;
    },
    limited: (sentAt, retryAfterMs) => {
      const now = clock.monotonic();
      if (retryAfterMs !== undefined)
        pausedUntil = Math.max(pausedUntil, now + Math.min(retryAfterMs, limits.maxPauseMs));
      // Calls that were on their way before the last cut say nothing about the rate after it.
      if (cut !== undefined && sentAt < cut.at) return;
      measure(now);
      const seen = Math.max(calls, callsBefore) / (measuredMs / 1000);
      const tooFast = Math.min(callsPerSecond(), Math.max(limits.assumedPerSecond, seen));
      cut = { at: now, perSecond: Math.max(limits.minPerSecond, tooFast / 2) };
    },
  };
}
