// The life of a fetched key set: refreshed in the background, asked again for an unknown `kid` but rarely, and kept
// through an outage of the issuer for hours, not for ever. One fetch at a time; nothing a token says adds a second.
import type { Clock } from '../../clock.ts';
import type { IgnoredKey } from './jwk-set.ts';
import { createKeyRing, identityOf, type KeyRing } from './key-ring.ts';
import { KeySetError, type KeySetFailure } from './key-set-error.ts';
import type { FetchKeySet } from './key-set-source.ts';

/** All in milliseconds. */
export interface KeySetTimings {
  /** Deadline of one fetch: discovery, connect, headers, body. */
  readonly timeoutMs: number;
  /** An unknown `kid` causes no fetch within this time of the start of the last one, failed or not. */
  readonly cooldownMs: number;
  /** Refresh when the issuer says nothing about caching, and the bounds of what it may say. */
  readonly refreshMs: number;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  /** How long keys are used after the last good fetch. */
  readonly maxStaleMs: number;
  /** First repeat while no keys were ever had; doubles up to the cooldown. */
  readonly firstRetryMs: number;
}

const minute = 60_000;

export const defaultTimings: KeySetTimings = {
  timeoutMs: 5_000,
  cooldownMs: 30_000,
  refreshMs: 10 * minute,
  minRefreshMs: minute,
  maxRefreshMs: 60 * minute,
  maxStaleMs: 360 * minute,
  firstRetryMs: 1_000,
};

export interface KeySetEvents {
  readonly fetched: (event: { iss: string; keys: number; changed: boolean; durationMs: number }) => void;
  /** `keysInUse`: older keys still serve. */
  readonly failed: (event: { iss: string; failure: KeySetFailure; durationMs: number; keysInUse: boolean }) => void;
  /** Once per change of the set, not per fetch. */
  readonly keyIgnored: (event: { iss: string } & IgnoredKey) => void;
}

export interface KeySetState {
  readonly iss: string;
  /** 0 before the first good fetch and when the keys are too old to be used. */
  readonly keys: number;
  /** Since the last good fetch; undefined before it. */
  readonly ageMs?: number;
  readonly failedFetches: number;
}

export interface KeySet {
  /** Undefined while no keys were had, or when the last good fetch is too long ago. */
  readonly ring: () => KeyRing | undefined;
  /** Resolves when the fetch that is under way, if any, has ended. Starts none. */
  readonly settled: () => Promise<void>;
  /** Asks the issuer again on behalf of a `kid` that is not known, unless it was asked within the cooldown. */
  readonly refreshForUnknownKey: () => Promise<void>;
  readonly start: () => void;
  readonly close: () => void;
  readonly state: () => KeySetState;
}

interface KeySetOptions {
  readonly iss: string;
  readonly fetch: FetchKeySet;
  readonly clock: Clock;
  readonly timings: KeySetTimings;
  readonly events: KeySetEvents;
}

export function createKeySet({ iss, fetch, clock, timings, events }: KeySetOptions): KeySet {
  let held: { readonly ring: KeyRing; readonly content: string; readonly at: number } | undefined;
  let inFlight: Promise<void> | undefined;
  let startedAt = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let abort = new AbortController();

  const ring = (): KeyRing | undefined =>
    held !== undefined && clock.monotonic() - held.at <= timings.maxStaleMs ? held.ring : undefined;

  const schedule = (delayMs: number): void => {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => void refresh(), delayMs);
    timer.unref();
  };

  const retryMs = (): number =>
    held === undefined ? Math.min(timings.cooldownMs, timings.firstRetryMs * 2 ** (failures - 1)) : timings.cooldownMs;

  async function attempt(): Promise<void> {
    startedAt = clock.monotonic();
    abort = new AbortController();
    const deadline = setTimeout(() => abort.abort(), timings.timeoutMs);
    try {
      const { keys, ignored, maxAgeMs } = await fetch(abort.signal);
      const now = clock.monotonic();
      // Whatever their order: some issuers shuffle them at every answer.
      const content = JSON.stringify([keys.map(identityOf).sort(), ignored.map((key) => JSON.stringify(key)).sort()]);
      const changed = content !== held?.content;
      held = { ring: createKeyRing(keys, true), content, at: now };
      failures = 0;
      if (changed) for (const key of ignored) events.keyIgnored({ iss, ...key });
      events.fetched({ iss, keys: keys.length, changed, durationMs: now - startedAt });
      const wanted = maxAgeMs ?? timings.refreshMs;
      schedule(Math.min(Math.max(wanted, timings.minRefreshMs), timings.maxRefreshMs));
    } catch (error) {
      failures += 1;
      schedule(retryMs());
      if (closed) return;
      const failure = error instanceof KeySetError ? error.failure : 'bug';
      events.failed({ iss, failure, durationMs: clock.monotonic() - startedAt, keysInUse: ring() !== undefined });
    } finally {
      clearTimeout(deadline);
    }
  }

  function refresh(): Promise<void> {
    inFlight ??= attempt().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  return {
    ring,
    settled: () => inFlight ?? Promise.resolve(),
    refreshForUnknownKey: async () => {
      if (inFlight !== undefined) return inFlight;
      if (!closed && clock.monotonic() - startedAt >= timings.cooldownMs) await refresh();
    },
    start: () => void refresh(),
    close: () => {
      closed = true;
      clearTimeout(timer);
      abort.abort();
    },
    state: () => ({
      iss,
      keys: ring()?.size ?? 0,
      ...(held === undefined ? {} : { ageMs: clock.monotonic() - held.at }),
      failedFetches: failures,
    }),
  };
}
