// The times of a key set, with a clock that the test moves: what is scheduled when, and the limits.
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { failedFetch, fixByFailure, type FailedFetch } from '../../../../src/authn/keys/key-set-failure.ts';
import { maxAgeMs } from '../../../../src/authn/keys/document-fetcher.ts';
import type { FetchedKeySet, FetchKeySet } from '../../../../src/authn/keys/key-set-source.ts';
import { createFetchedKeys, defaultTimings, type FetchedKeys } from '../../../../src/authn/keys/fetched-keys.ts';
import { loadJwk } from '../../../../src/authn/keys/pem-and-jwk.ts';
import type { VerificationKey } from '../../../../src/authn/keys/verification-keys.ts';

const minute = 60_000;
const hour = 60 * minute;

function keyNamed(kid: string): VerificationKey {
  const { publicKey } = generateKeyPairSync('ed25519');
  const key = loadJwk({ ...publicKey.export({ format: 'jwk' }), kid }, ['EdDSA']);
  if (typeof key === 'string') throw new Error(key);
  return key;
}

let fetches: number[];
let answer: () => ReturnType<FetchKeySet> | Awaited<ReturnType<FetchKeySet>>;
let keySet: FetchedKeys;
let events: Record<string, unknown>[];
let prepared: number;

beforeEach(() => {
  vi.useFakeTimers();
  fetches = [];
  events = [];
  prepared = 0;
  const record = (event: string) => (detail: object) => void events.push({ event, ...detail });
  const start = Date.now();
  keySet = createFetchedKeys({
    iss: 'https://issuer.example',
    fetch: async () => {
      fetches.push(Date.now() - start);
      return answer();
    },
    prepare: async (keys) => {
      prepared += keys.length;
      return keys.map((key) => ({ ...key, verify: () => undefined }));
    },
    clock: { now: Date.now, monotonic: Date.now },
    timings: defaultTimings,
    events: { fetched: record('fetched'), failed: record('failed') },
  });
});
afterEach(() => {
  keySet.close();
  vi.useRealTimers();
});

const fails = (): FailedFetch => failedFetch('status');
const started = async (): Promise<void> => {
  keySet.start();
  await vi.advanceTimersByTimeAsync(0);
};

describe('the background refresh', () => {
  it.each([
    ['ten minutes without Cache-Control', undefined, 10 * minute],
    ['the time in Cache-Control', 25 * minute, 25 * minute],
    ['one minute or more', 0, minute],
    ['one hour or less', 24 * hour, hour],
  ])('runs after %s', async (_title, lifetime, expected) => {
    answer = () => ({
      keys: [keyNamed('a')],
      leftOut: [],
      maxAgeMs: lifetime,
    });
    await started();
    await vi.advanceTimersByTimeAsync(expected - 1);
    expect(fetches).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1);
    expect(fetches).toEqual([0, expected]);
  });

  it('counts as a change only if keys or skipped keys differ, whatever their order', async () => {
    const leftOut = [
      { which: 'key 3 (kid x)', why: 'is weak', isBad: true },
      { which: 'key 4 (kid y)', why: 'is private', isBad: true },
    ];
    const moved = [
      { which: 'key 1 (kid y)', why: 'is private', isBad: true },
      { which: 'key 2 (kid x)', why: 'is weak', isBad: true },
    ];
    const keys = [keyNamed('a'), keyNamed('b')];
    answer = () => ({ keys, leftOut });
    await started();
    const ring = keySet.ring();
    answer = () => ({ keys: keys.toReversed(), leftOut: moved });
    await vi.advanceTimersByTimeAsync(10 * minute);
    answer = () => ({ keys, leftOut: leftOut.slice(1) });
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(events.map(({ changed }) => changed)).toEqual([true, false, true]);
    expect(keySet.ring()).toBe(ring);
    expect(prepared).toBe(2);
  });

  it('keeps the verifiers of unchanged keys, and creates verifiers for new keys only', async () => {
    const [a, b, c] = [keyNamed('a'), keyNamed('b'), keyNamed('c')];
    answer = () => ({ keys: [a, b], leftOut: [] });
    await started();
    const before = keySet.ring()?.keys ?? [];
    answer = () => ({ keys: [{ ...b }, c], leftOut: [] });
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(keySet.ring()?.keys.map(({ kid }) => kid)).toEqual(['b', 'c']);
    expect(keySet.ring()?.keys[0]).toBe(before[1]);
    expect(before.map((key) => keySet.ring()?.isActive(key))).toEqual([false, true]);
    expect(prepared).toBe(3);
  });

  it('is repeated every 30 seconds while it fails and old keys are used', async () => {
    answer = () => ({ keys: [keyNamed('a')], leftOut: [] });
    await started();
    answer = fails;
    await vi.advanceTimersByTimeAsync(11 * minute);
    expect(fetches).toEqual([0, 10 * minute, 10.5 * minute, 11 * minute]);
    expect(keySet.ring()?.keys.length).toBe(1);
    expect(keySet.age()).toEqual({ iss: 'https://issuer.example', ageMs: 11 * minute });
  });

  it('is repeated after 1, 2, 4 … 30 seconds until the first keys are fetched', async () => {
    answer = fails;
    await started();
    await vi.advanceTimersByTimeAsync(2 * minute);
    expect(fetches.map((at) => at / 1000)).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    expect(keySet.ring()).toBeUndefined();
    expect(keySet.age()).toEqual({ iss: 'https://issuer.example', ageMs: undefined });
  });

  it('stops when it is closed', async () => {
    answer = () => ({ keys: [keyNamed('a')], leftOut: [] });
    await started();
    keySet.close();
    await vi.advanceTimersByTimeAsync(hour);
    await keySet.lookUp();
    expect(fetches).toEqual([0]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an unknown kid', () => {
  const good = () => ({ keys: [keyNamed('a')], leftOut: [] });

  it('is looked up immediately after a scheduled fetch, three times in a row, then once in 30 seconds', async () => {
    answer = good;
    await started();
    const results: unknown[] = [];
    for (let look = 0; look < 5; look += 1) results.push(await keySet.lookUp());
    expect(results).toEqual([undefined, undefined, undefined, 30, 30]);
    expect(fetches).toEqual([0, 0, 0, 0]);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(await keySet.lookUp()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await keySet.lookUp()).toBeUndefined();
    expect(await keySet.lookUp()).toBe(30);
    expect(fetches.slice(4)).toEqual([30_000]);
  });

  it('allows at most three look-ups in a row', async () => {
    answer = good;
    await started();
    await vi.advanceTimersByTimeAsync(5 * minute);
    for (let look = 0; look < 6; look += 1) await keySet.lookUp();
    expect(fetches).toHaveLength(4);
  });

  it('uses the fetch that is already running, whatever started it', async () => {
    let finish: (keys: FetchedKeySet) => void = () => undefined;
    answer = () => new Promise((resolve) => (finish = resolve));
    keySet.start();
    await vi.advanceTimersByTimeAsync(0);
    const looking = Array.from({ length: 100 }, () => keySet.lookUp());
    finish(good());
    expect(new Set(await Promise.all(looking))).toEqual(new Set([undefined]));
    expect(fetches).toEqual([0]);
  });

  it('returns a waiting time after a failed fetch, which counts towards the limit', async () => {
    answer = good;
    await started();
    answer = fails;
    expect([await keySet.lookUp(), await keySet.lookUp(), await keySet.lookUp()]).toEqual([1, 1, 30]);
    expect(await keySet.lookUp()).toBe(30);
    expect(fetches).toHaveLength(4);
  });

  it('is looked up again after a failure, and the first success is reported as the recovery', async () => {
    answer = good;
    await started();
    answer = fails;
    expect(await keySet.lookUp()).toBe(1);
    answer = good;
    expect([await keySet.lookUp(), await keySet.lookUp()]).toEqual([undefined, undefined]);
    expect(events.map(({ event, recovered }) => [event, recovered])).toEqual([
      ['fetched', false],
      ['failed', undefined],
      ['fetched', true],
      ['fetched', false],
    ]);
  });
});

describe('one timer', () => {
  it('serves both: a fetch for an unknown kid postpones the background refresh', async () => {
    answer = () => ({ keys: [keyNamed('a')], leftOut: [] });
    await started();
    await vi.advanceTimersByTimeAsync(9 * minute);
    await keySet.lookUp();
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(fetches).toEqual([0, 9 * minute, 19 * minute]);
  });

  it('is not set by a fetch that ends after closing, and that fetch reports nothing', async () => {
    let end: (failed: FailedFetch) => void = () => undefined;
    answer = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    await started();
    keySet.close();
    end(failedFetch('timeout'));
    await vi.advanceTimersByTimeAsync(hour);
    expect(fetches).toEqual([0]);
    expect(events).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('old keys', () => {
  it('are used for six hours after the last successful fetch, and no longer', async () => {
    answer = () => ({ keys: [keyNamed('a')], leftOut: [] });
    await started();
    answer = fails;
    await vi.advanceTimersByTimeAsync(6 * hour);
    expect(keySet.ring()?.keys.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(keySet.ring()).toBeUndefined();
    answer = () => ({ keys: [keyNamed('a'), keyNamed('b')], leftOut: [] });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(keySet.ring()?.keys.length).toBe(2);
    expect(keySet.age().ageMs).toBeLessThanOrEqual(30_000);
    expect(await keySet.lookUp()).toBeUndefined();
  });
});

describe('the default timings', () => {
  it('equal the documentation', () => {
    expect(defaultTimings).toEqual({
      timeoutMs: 5_000,
      cooldownMs: 30_000,
      refreshMs: 10 * minute,
      minRefreshMs: minute,
      maxRefreshMs: 60 * minute,
      maxStaleMs: 6 * hour,
      firstRetryMs: 1_000,
    });
  });
});

describe('events', () => {
  it('report each fetch, whether keys changed, and whether a failure is the same as before', async () => {
    const key = keyNamed('a');
    const leftOut = [{ which: 'key 2', why: 'is for something else', isBad: true }];
    answer = () => ({ keys: [key], leftOut });
    await started();
    await vi.advanceTimersByTimeAsync(10 * minute);
    answer = fails;
    await vi.advanceTimersByTimeAsync(10 * minute + 30_000);
    answer = () => failedFetch('status', { httpStatus: 404 });
    await vi.advanceTimersByTimeAsync(30_000);
    answer = () => ({ keys: [key], leftOut });
    await vi.advanceTimersByTimeAsync(30_000);
    const iss = 'https://issuer.example';
    const fetched = { event: 'fetched', iss, keys: 1, leftOut, durationMs: 0 };
    const failed = {
      event: 'failed',
      iss,
      failure: 'status',
      durationMs: 0,
      keysInUse: true,
    };
    expect(events).toEqual([
      { ...fetched, changed: true, recovered: false },
      { ...fetched, changed: false, recovered: false },
      { ...failed, detail: { fix: fixByFailure.status }, repeated: false },
      { ...failed, detail: { fix: fixByFailure.status }, repeated: true },
      {
        ...failed,
        detail: { httpStatus: 404, fix: fixByFailure.status },
        repeated: false,
      },
      { ...fetched, changed: false, recovered: true },
    ]);
  });

  it('report the same failure again when the old keys expire', async () => {
    answer = () => ({ keys: [keyNamed('a')], leftOut: [] });
    await started();
    answer = fails;
    await vi.advanceTimersByTimeAsync(6 * hour + minute);
    expect(events.filter(({ repeated }) => repeated === false).map(({ keysInUse }) => keysInUse)).toEqual([
      true,
      false,
    ]);
  });

  it('report an exception as a bug, and fetching continues', async () => {
    answer = () => Promise.reject(new TypeError('fetch failed'));
    await started();
    expect(events).toMatchObject([{ event: 'failed', failure: 'bug', keysInUse: false }]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(fetches).toHaveLength(2);
  });
});

describe('Cache-Control', () => {
  it.each([
    ['', '', undefined],
    ['public', '', undefined],
    ['max-age=600', '', 600_000],
    ['public, Max-Age=600, must-revalidate', '', 600_000],
    ['max-age="600"', '', 600_000],
    ['s-max-age=600', '', undefined],
    ['max-age=600', '100', 500_000],
    ['max-age=600', '700', 0],
    ['max-age=600', 'soon', 600_000],
    ['max-age=600', 'x100', 600_000],
    ['max-age=600', '100x', 600_000],
    ['max-age=600, no-cache', '', 0],
    ['no-store', '', 0],
    ['max-age=-1', '', undefined],
    ['max-age=1e9', '', undefined],
    ['max-age=9999999999', '', 9_999_999_999_000],
    ['max-age=99999999999', '', undefined],
    ['s-maxage=60', '', undefined],
    ['max-age', '', undefined],
  ])('%j with Age %j means %s ms', (cacheControl, age, expected) => {
    expect(maxAgeMs(cacheControl, age)).toBe(expected);
  });
});
