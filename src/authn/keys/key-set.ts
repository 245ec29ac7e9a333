// The fetched keys of one issuer over time: refreshed in the background, asked again for an unknown `kid` but rarely,
// and kept through an outage of the issuer for hours, not for ever. One fetch at a time; nothing a token says adds a
// second.
import type { Clock } from '../../clock.ts';
import type { LeftOutKey } from './jwk-set.ts';
import { createKeyRing, type KeyInForce, type KeyRing } from './key-ring.ts';
import { KeySetError, type KeySetFailure, type KeySetFailureDetail } from './key-set-error.ts';
import type { FetchedKeySet, FetchKeySet } from './key-set-source.ts';
import { createLookUpAllowance } from './look-up-allowance.ts';
import { isSameKey, type VerificationKey } from './verification-key.ts';

/** All in milliseconds. */
export interface KeySetTimings {
  /** Deadline of one fetch: discovery, connect, headers, body. */
  readonly timeoutMs: number;
  /** After a burst, unknown `kid`s cause one fetch in this time, failed or not. Scheduled fetches do not count. */
  readonly cooldownMs: number;
  /** Refresh when the issuer says nothing about caching, and the bounds of what it may say. */
  readonly refreshMs: number;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  /** How long keys are used after the last good fetch. */
  readonly maxStaleMs: number;
  /** First repeat while no keys were ever fetched; doubles up to the cooldown. */
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
  /** `changed`: the keys, or what was left out of them, are others than before. `recovered`: the last fetch failed. */
  readonly fetched: (event: {
    iss: string;
    keys: number;
    leftOut: readonly LeftOutKey[];
    changed: boolean;
    recovered: boolean;
    durationMs: number;
  }) => void;
  /** `keysInUse`: older keys still serve. `repeated`: the last fetch failed for the very same reason. */
  readonly failed: (event: {
    iss: string;
    failure: KeySetFailure;
    detail: KeySetFailureDetail;
    durationMs: number;
    keysInUse: boolean;
    repeated: boolean;
  }) => void;
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
  /** Undefined while no keys were fetched, or when the last good fetch is too long ago. */
  readonly ring: () => KeyRing | undefined;
  /** Whether a key of this name was in force and the issuer has withdrawn it: there is nothing to look up. */
  readonly isWithdrawn: (kid: string) => boolean;
  /** Resolves when the fetch that is under way, if any, has ended. Starts none. */
  readonly settled: () => Promise<void>;
  /**
   * Asks the issuer again on behalf of a `kid` that is not known. Undefined: it has answered just now. Otherwise it may
   * not be asked yet, or gave no answer; then in how many seconds another try is worth it.
   */
  readonly lookUp: () => Promise<number | undefined>;
  /** In how many seconds the next scheduled fetch comes, at least 1. */
  readonly nextFetchSeconds: () => number;
  readonly start: () => void;
  readonly close: () => void;
  readonly state: () => KeySetState;
}

interface KeySetOptions {
  readonly iss: string;
  readonly fetch: FetchKeySet;
  /** Makes verifiers for new keys. */
  readonly prepare: (keys: readonly VerificationKey[]) => Promise<readonly KeyInForce[]>;
  readonly clock: Clock;
  readonly timings: KeySetTimings;
  readonly events: KeySetEvents;
}

interface HeldKeys {
  readonly ring: KeyRing;
  /** What was left out of it, in whatever order: some issuers shuffle their keys at every answer. */
  readonly leftOut: string;
  readonly at: number;
  /** Names of former keys, the latest last. */
  readonly withdrawn: readonly string[];
}

/** More than any issuer rotates while its tokens live. */
const maxWithdrawn = 100;

/** The names of former keys that the new ring does not have. */
function namesWithdrawn(before: HeldKeys | undefined, next: KeyRing): readonly string[] {
  if (before === undefined || before.ring === next) return before?.withdrawn ?? [];
  const names = [...before.withdrawn, ...before.ring.keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid]))];
  return names.filter((kid) => !next.names(kid)).slice(-maxWithdrawn);
}

const toSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

export function createKeySet({ iss, fetch, prepare, clock, timings, events }: KeySetOptions): KeySet {
  const allowance = createLookUpAllowance(timings.cooldownMs, clock.monotonic);
  let held: HeldKeys | undefined;
  let inFlight: Promise<void> | undefined;
  let nextFetchAt = 0;
  let failures = 0;
  let lastFailure: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let abort = new AbortController();

  const ring = (): KeyRing | undefined =>
    held !== undefined && clock.monotonic() - held.at <= timings.maxStaleMs ? held.ring : undefined;

  const schedule = (delayMs: number): void => {
    clearTimeout(timer);
    if (closed) return;
    nextFetchAt = clock.monotonic() + delayMs;
    timer = setTimeout(() => void refresh(), delayMs);
    timer.unref();
  };

  const retryMs = (): number =>
    held === undefined ? Math.min(timings.cooldownMs, timings.firstRetryMs * 2 ** (failures - 1)) : timings.cooldownMs;

  /** The ring of the fetched keys; a key that was there before stays the same object, with the same verifier. */
  async function toRing(keys: readonly VerificationKey[]): Promise<KeyRing> {
    const known = held?.ring.keys ?? [];
    const kept = known.filter((key) => keys.some((fetched) => isSameKey(key, fetched)));
    const added = keys.filter((fetched) => !kept.some((key) => isSameKey(key, fetched)));
    if (held !== undefined && added.length === 0 && kept.length === known.length) return held.ring;
    return createKeyRing([...kept, ...(added.length === 0 ? [] : await prepare(added))]);
  }

  async function takeIntoUse({ keys, leftOut, maxAgeMs }: FetchedKeySet, durationMs: number): Promise<void> {
    const nextRing = await toRing(keys);
    const next: HeldKeys = {
      ring: nextRing,
      leftOut: JSON.stringify(leftOut.map(({ which, why }) => which.replace(/^key \d+/, '') + why).sort()),
      at: clock.monotonic(),
      withdrawn: namesWithdrawn(held, nextRing),
    };
    const changed = next.ring !== held?.ring || next.leftOut !== held.leftOut;
    const recovered = failures > 0;
    held = next;
    failures = 0;
    lastFailure = undefined;
    events.fetched({ iss, keys: keys.length, leftOut, changed, recovered, durationMs });
    schedule(Math.min(Math.max(maxAgeMs ?? timings.refreshMs, timings.minRefreshMs), timings.maxRefreshMs));
  }

  function noteFailure(error: unknown, durationMs: number): void {
    failures += 1;
    schedule(retryMs());
    if (closed) return;
    const { failure, detail } = error instanceof KeySetError ? error : new KeySetError('bug');
    const keysInUse = ring() !== undefined;
    const explained = JSON.stringify([failure, detail, keysInUse]);
    events.failed({ iss, failure, detail, durationMs, keysInUse, repeated: explained === lastFailure });
    lastFailure = explained;
  }

  async function attempt(): Promise<void> {
    const startedAt = clock.monotonic();
    abort = new AbortController();
    const deadline = setTimeout(() => abort.abort(), timings.timeoutMs);
    try {
      const fetched = await fetch(abort.signal);
      await takeIntoUse(fetched, clock.monotonic() - startedAt);
    } catch (error) {
      noteFailure(error, clock.monotonic() - startedAt);
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
    isWithdrawn: (kid) => held?.withdrawn.includes(kid) === true,
    settled: () => inFlight ?? Promise.resolve(),
    lookUp: async () => {
      if (inFlight === undefined && (closed || !allowance.take())) return toSeconds(allowance.waitMs());
      await refresh();
      return failures === 0 ? undefined : toSeconds(allowance.waitMs());
    },
    nextFetchSeconds: () => toSeconds(nextFetchAt - clock.monotonic()),
    start: () => void refresh(),
    close: () => {
      closed = true;
      clearTimeout(timer);
      abort.abort();
    },
    state: () => ({
      iss,
      keys: ring()?.keys.length ?? 0,
      ...(held === undefined ? {} : { ageMs: clock.monotonic() - held.at }),
      failedFetches: failures,
    }),
  };
}
