// The call rate: unlimited until the upstream responds with 429, then halved, then doubled every `doublingMs` until no
// limit is reached.
import type { Clock } from '../clock.ts';

export interface CallRate {
  /** Milliseconds until the next call may be sent; 0 for now. */
  readonly waitMs: () => number;
  /** How long a call with `ahead` calls before it would wait at the current rate. */
  readonly projectedWaitMs: (ahead: number) => number;
  readonly sent: () => void;
  /** The upstream responded with 429 to a call that was sent at `sentAt` (monotonic milliseconds). */
  readonly limited: (sentAt: number, retryAfterMs: number | undefined) => void;
  /** Infinity while there is no limit. */
  readonly callsPerSecond: () => number;
}

export interface CallRateLimits {
  /** The minimum rate. */
  readonly minPerSecond: number;
  /** The assumed rate at the first 429, if the measured one is lower. */
  readonly assumedPerSecond: number;
  readonly doublingMs: number;
  /** The maximum pause after a `Retry-After`; then single calls probe at the minimum rate. */
  readonly maxPauseMs: number;
}

const measuredMs = 5000;
/** Above this rate the limit is removed. */
const freeAbove = 200;

export function createCallRate({ clock, ...limits }: CallRateLimits & { clock: Pick<Clock, 'monotonic'> }): CallRate {
  let cut: { readonly at: number; readonly perSecond: number } | undefined;
  let pausedUntil = -Infinity;
  let lastSentAt = -Infinity;
  let measuredSince = clock.monotonic();
  let calls = 0;
  /** Calls in the previous interval. */
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
      // Ignore calls that were sent before the last reduction.
      if (cut !== undefined && sentAt < cut.at) return;
      measure(now);
      const seen = Math.max(calls, callsBefore) / (measuredMs / 1000);
      const tooFast = Math.min(callsPerSecond(), Math.max(limits.assumedPerSecond, seen));
      cut = { at: now, perSecond: Math.max(limits.minPerSecond, tooFast / 2) };
    },
  };
}
