// Keeps the fetched keys of one issuer current: refreshes them in the background, fetches again for an unknown `kid` at
// a bounded rate, and keeps the old keys for some hours if the issuer is unavailable. At most one fetch runs at a time.
import type { Clock } from '../../clock.ts';
import { toRetryAfterSeconds } from '../../errors.ts';
import type { LeftOutKey } from './jwk-set.ts';
import { createKeyRing, type ActiveKey, type KeyRing, isSameKey, type VerificationKey } from './verification-keys.ts';
import {
  failedFetch,
  isFailedFetch,
  type FailedFetch,
  type KeySetFailure,
  type KeySetFailureDetail,
} from './key-set-failure.ts';
import type { FetchedKeySet, FetchKeySet } from './key-set-source.ts';

/** All in milliseconds. */
export interface KeySetTimings {
  /** Deadline of one fetch, including discovery. */
  readonly timeoutMs: number;
  /**
   * After a burst, unknown `kid`s cause at most one fetch in this time, failed or not. Scheduled fetches do not count.
   */
  readonly cooldownMs: number;
  /** The refresh interval if the issuer sends no Cache-Control, and the bounds if it does. */
  readonly refreshMs: number;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  /** How long keys are used after the last successful fetch. */
  readonly maxStaleMs: number;
  /** The first retry while no keys were ever fetched; doubles up to the cooldown. */
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
  /** `changed`: the keys, or those left out, differ from before. `recovered`: the fetch before failed. */
  readonly fetched: (event: {
    iss: string;
    keys: number;
    leftOut: readonly LeftOutKey[];
    changed: boolean;
    recovered: boolean;
    durationMs: number;
  }) => void;
  /** `keysInUse`: older keys are still used. `repeated`: the fetch before failed for the same reason. */
  readonly failed: (event: {
    iss: string;
    failure: KeySetFailure;
    detail: KeySetFailureDetail;
    durationMs: number;
    keysInUse: boolean;
    repeated: boolean;
  }) => void;
}

/** How old the keys of an issuer are. */
export interface KeySetAge {
  readonly iss: string;
  /** Since the last successful fetch; undefined before it. */
  readonly ageMs: number | undefined;
}

export interface FetchedKeys {
  /** Undefined before the first successful fetch, and when the last one is too long ago. */
  readonly ring: () => KeyRing | undefined;
  /** Whether the issuer has withdrawn the key with this `kid`: fetching again is useless. */
  readonly isWithdrawn: (kid: string) => boolean;
  /** Resolves when the running fetch, if any, has ended. Starts none. */
  readonly settled: () => Promise<void>;
  /**
   * Fetches the keys again because of an unknown `kid`. Returns undefined after a successful fetch. If the cooldown
   * forbids a fetch or the fetch failed, returns the seconds until the next attempt.
   */
  readonly lookUp: () => Promise<number | undefined>;
  /** Seconds until the next scheduled fetch, at least 1. */
  readonly nextFetchSeconds: () => number;
  readonly start: () => void;
  readonly close: () => void;
  readonly age: () => KeySetAge;
}

interface FetchedKeysOptions {
  readonly iss: string;
  readonly fetch: FetchKeySet;
  /** Creates the verifiers of new keys. */
  readonly prepare: (keys: readonly VerificationKey[]) => Promise<readonly ActiveKey[]>;
  readonly clock: Clock;
  readonly timings: KeySetTimings;
  readonly events: KeySetEvents;
}

interface HeldKeys {
  readonly ring: KeyRing;
  /** The keys left out, independent of their order: some issuers shuffle their keys in every response. */
  readonly leftOut: string;
  readonly at: number;
  /** The `kid`s of former keys, the latest last. */
  readonly withdrawn: readonly string[];
}

/** More keys than an issuer rotates during the lifetime of a token. */
const maxWithdrawn = 100;

/** The `kid`s of former keys that the new ring does not have. */
function namesWithdrawn(before: HeldKeys | undefined, next: KeyRing): readonly string[] {
  if (before === undefined || before.ring === next) return before?.withdrawn ?? [];
  const names = [...before.withdrawn, ...before.ring.keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid]))];
  return names.filter((kid) => !next.hasKid(kid)).slice(-maxWithdrawn);
}

export function createFetchedKeys({ iss, fetch, prepare, clock, timings, events }: FetchedKeysOptions): FetchedKeys {
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

  /** The ring of the fetched keys. An unchanged key stays the same object, with the same verifier. */
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

  function noteFailure({ failure, detail }: FailedFetch, durationMs: number): void {
    failures += 1;
    schedule(retryMs());
    if (closed) return;
    const keysInUse = ring() !== undefined;
    const explained = JSON.stringify([failure, detail, keysInUse]);
    events.failed({ iss, failure, detail, durationMs, keysInUse, repeated: explained === lastFailure });
    lastFailure = explained;
  }

  async function attempt(): Promise<void> {
    const startedAt = clock.monotonic();
    abort = new AbortController();
    const deadline = setTimeout(() => abort.abort(), timings.timeoutMs);
    const durationMs = (): number => clock.monotonic() - startedAt;
    try {
      const fetched = await fetch(abort.signal);
      if (isFailedFetch(fetched)) noteFailure(fetched, durationMs());
      else await takeIntoUse(fetched, durationMs());
    } catch {
      noteFailure(failedFetch('bug'), durationMs());
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
      if (inFlight === undefined && (closed || !allowance.take())) return toRetryAfterSeconds(allowance.waitMs());
      await refresh();
      return failures === 0 ? undefined : toRetryAfterSeconds(allowance.waitMs());
    },
    nextFetchSeconds: () => toRetryAfterSeconds(nextFetchAt - clock.monotonic()),
    start: () => void refresh(),
    close: () => {
      closed = true;
      clearTimeout(timer);
      abort.abort();
    },
    age: () => ({
      iss,
      ageMs: held === undefined ? undefined : clock.monotonic() - held.at,
    }),
  };
}

/**
 * How often unknown `kid`s may cause a fetch: a small burst, so that one odd token does not delay the next key
 * rotation, then once per cooldown.
 */
interface LookUpAllowance {
  /** Uses one look-up; false if none is left. */
  readonly take: () => boolean;
  /** Milliseconds until a look-up is available. */
  readonly waitMs: () => number;
}

const burst = 3;

/**
 * A token bucket (RFC 2697 §3): starts full and gains one look-up per `cooldownMs`. `now` is monotonic, in
 * milliseconds.
 */
function createLookUpAllowance(cooldownMs: number, now: () => number): LookUpAllowance {
  /** In milliseconds; one look-up costs `cooldownMs`. */
  let saved = burst * cooldownMs;
  let countedAt = now();

  const count = (): void => {
    const at = now();
    saved = Math.min(burst * cooldownMs, saved + at - countedAt);
    countedAt = at;
  };

  return {
    take: () => {
      count();
      if (saved < cooldownMs) return false;
      saved -= cooldownMs;
      return true;
    },
    waitMs: () => {
      count();
      return Math.max(0, cooldownMs - saved);
    },
  };
}
