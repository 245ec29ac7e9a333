// How fast the whole service may call: as fast as it likes until the upstream says 429, then half as fast, then
// gradually faster along a cubic curve that lingers below the rate that was too high (the growth of RFC 9438 §4.2).
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

export interface CallRateOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** It never goes slower than this. */
  readonly minPerSecond: number;
  /** The rate that is assumed to have been too high at the first 429, if fewer calls than that were made. */
  readonly assumedPerSecond: number;
  /** Calls per second that are gained, times the cube of seconds. */
  readonly growth: number;
  /** A `Retry-After` stops everybody for this long at most; then single calls probe at the slowest pace. */
  readonly maxPauseMs: number;
}

const measuredMs = 5000;
/** A rate that no upstream limit of this kind is near: the brake is off again. */
const freeAbove = 200;

export function createCallRate({ clock, ...options }: CallRateOptions): CallRate {
  let cut: { readonly at: number; readonly ceiling: number } | undefined;
  let pausedUntil = -Infinity;
  let lastSentAt = -Infinity;
  let measuring: Measuring = { since: clock.monotonic(), calls: 0, before: 0 };

  const callsPerSecond = (): number => {
    if (cut === undefined) return Infinity;
    const plateauAfter = Math.cbrt(cut.ceiling / 2 / options.growth);
    const seconds = (clock.monotonic() - cut.at) / 1000;
    const rate = Math.max(options.minPerSecond, options.growth * (seconds - plateauAfter) ** 3 + cut.ceiling);
    if (rate > freeAbove) cut = undefined;
    return cut === undefined ? Infinity : rate;
  };

  const waitMs = (): number => {
    const nextAt = Math.max(lastSentAt + 1000 / callsPerSecond(), pausedUntil);
    return Math.max(0, nextAt - clock.monotonic());
  };

  return {
    callsPerSecond,
    waitMs,
    projectedWaitMs: (ahead) => waitMs() + (ahead * 1000) / callsPerSecond(),
    sent: () => {
      lastSentAt = clock.monotonic();
      measuring = measured(measuring, lastSentAt);
      measuring.calls += 1;
    },
    limited: (sentAt, retryAfterMs) => {
      const now = clock.monotonic();
      if (retryAfterMs !== undefined)
        pausedUntil = Math.max(pausedUntil, now + Math.min(retryAfterMs, options.maxPauseMs));
      // Calls that were on their way before the last cut say nothing about the pace after it.
      if (cut !== undefined && sentAt < cut.at) return;
      measuring = measured(measuring, now);
      const seen = Math.max(measuring.calls, measuring.before) / (measuredMs / 1000);
      const tooFast = Math.min(callsPerSecond(), Math.max(options.assumedPerSecond, seen));
      cut = { at: now, ceiling: Math.max(options.minPerSecond, tooFast) };
    },
  };
}

interface Measuring {
  readonly since: number;
  calls: number;
  /** Calls in the stretch before this one. */
  readonly before: number;
}

/** The same stretch while it lasts, else the next one. */
function measured(current: Measuring, now: number): Measuring {
  const stretches = Math.floor((now - current.since) / measuredMs);
  if (stretches < 1) return current;
  return { since: now, calls: 0, before: stretches === 1 ? current.calls : 0 };
}
