// The life of a key set in time that the test moves: what is scheduled when, and with which bounds.
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LoadedKey } from '../../../../src/authn/keys/key-ring.ts';
import { KeySetError } from '../../../../src/authn/keys/key-set-error.ts';
import { maxAgeMs } from '../../../../src/authn/keys/key-set-fetch.ts';
import type { FetchedKeySet } from '../../../../src/authn/keys/key-set-source.ts';
import { createKeySet, defaultTimings, type KeySet } from '../../../../src/authn/keys/key-set.ts';
import { loadJwk } from '../../../../src/authn/keys/public-key.ts';

const minute = 60_000;
const hour = 60 * minute;

function keyNamed(kid: string): LoadedKey {
  const { publicKey } = generateKeyPairSync('ed25519');
  const key = loadJwk({ ...publicKey.export({ format: 'jwk' }), kid }, ['EdDSA']);
  if (key === undefined) throw new Error('not a key');
  return key;
}

let fetches: number[];
let answer: () => FetchedKeySet | Promise<FetchedKeySet>;
let keySet: KeySet;
let events: unknown[];

beforeEach(() => {
  vi.useFakeTimers();
  fetches = [];
  events = [];
  const record = (event: string) => (detail: object) => void events.push({ event, ...detail });
  const start = Date.now();
  keySet = createKeySet({
    iss: 'https://issuer.example',
    fetch: async () => {
      fetches.push(Date.now() - start);
      return answer();
    },
    clock: { now: Date.now, monotonic: Date.now },
    timings: defaultTimings,
    events: { fetched: record('fetched'), failed: record('failed'), keyIgnored: record('keyIgnored') },
  });
});
afterEach(() => {
  keySet.close();
  vi.useRealTimers();
});

const fails = (): never => {
  throw new KeySetError('status');
};
const started = async (): Promise<void> => {
  keySet.start();
  await vi.advanceTimersByTimeAsync(0);
};

describe('the background refresh', () => {
  it.each([
    ['ten minutes when nothing is said', undefined, 10 * minute],
    ['what Cache-Control says', 25 * minute, 25 * minute],
    ['a minute at least', 0, minute],
    ['an hour at most', 24 * hour, hour],
  ])('comes after %s', async (_title, lifetime, expected) => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [], ...(lifetime === undefined ? {} : { maxAgeMs: lifetime }) });
    await started();
    await vi.advanceTimersByTimeAsync(expected - 1);
    expect(fetches).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1);
    expect(fetches).toEqual([0, expected]);
  });

  it('tells of keys that are ignored once, in whatever order the issuer gives them', async () => {
    const ignored = [
      { which: 'key x', why: 'is weak' },
      { which: 'key y', why: 'is private' },
    ];
    const keys = [keyNamed('a'), keyNamed('b')];
    answer = () => ({ keys, ignored });
    await started();
    answer = () => ({ keys: keys.toReversed(), ignored: ignored.toReversed() });
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(events.filter((event) => (event as { event: string }).event === 'keyIgnored')).toHaveLength(2);
    answer = () => ({ keys, ignored: ignored.slice(1) });
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(events.filter((event) => (event as { event: string }).event === 'keyIgnored')).toHaveLength(3);
  });

  it('is repeated every 30 seconds while it fails and old keys serve', async () => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [] });
    await started();
    answer = fails;
    await vi.advanceTimersByTimeAsync(11 * minute);
    expect(fetches).toEqual([0, 10 * minute, 10.5 * minute, 11 * minute]);
    expect(keySet.state()).toMatchObject({ keys: 1, failedFetches: 3, ageMs: 11 * minute });
  });

  it('is repeated after 1, 2, 4 … 30 seconds while no keys were ever had', async () => {
    answer = fails;
    await started();
    await vi.advanceTimersByTimeAsync(2 * minute);
    expect(fetches.map((at) => at / 1000)).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    expect(keySet.ring()).toBeUndefined();
    expect(keySet.state()).toEqual({ iss: 'https://issuer.example', keys: 0, failedFetches: 8 });
  });

  it('stops when it is closed', async () => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [] });
    await started();
    keySet.close();
    await vi.advanceTimersByTimeAsync(hour);
    await keySet.refreshForUnknownKey();
    expect(fetches).toEqual([0]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an unknown kid', () => {
  it('causes a fetch only 30 seconds after the start of the last one', async () => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [] });
    await started();
    await vi.advanceTimersByTimeAsync(29_999);
    await keySet.refreshForUnknownKey();
    expect(fetches).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1);
    await Promise.all(Array.from({ length: 100 }, () => keySet.refreshForUnknownKey()));
    expect(fetches).toEqual([0, 30_000]);
  });

  it('counts failed fetches too', async () => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [] });
    await started();
    await vi.advanceTimersByTimeAsync(30_000);
    answer = fails;
    await keySet.refreshForUnknownKey();
    await vi.advanceTimersByTimeAsync(29_000);
    await keySet.refreshForUnknownKey();
    expect(fetches).toEqual([0, 30_000]);
  });
});

describe('one timer', () => {
  it('is all there is: a fetch for an unknown kid puts the background refresh off', async () => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [] });
    await started();
    await vi.advanceTimersByTimeAsync(9 * minute);
    await keySet.refreshForUnknownKey();
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(fetches).toEqual([0, 9 * minute, 19 * minute]);
  });

  it('is not set by a fetch that ends after closing, and that fetch tells nothing', async () => {
    let fail: (error: Error) => void = () => undefined;
    answer = () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      });
    await started();
    keySet.close();
    fail(new KeySetError('timeout'));
    await vi.advanceTimersByTimeAsync(hour);
    expect(fetches).toEqual([0]);
    expect(events).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('old keys', () => {
  it('serve for six hours after the last good fetch, not longer', async () => {
    answer = () => ({ keys: [keyNamed('a')], ignored: [] });
    await started();
    answer = fails;
    await vi.advanceTimersByTimeAsync(6 * hour);
    expect(keySet.ring()?.size).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(keySet.ring()).toBeUndefined();
    expect(keySet.state().keys).toBe(0);
    answer = () => ({ keys: [keyNamed('a'), keyNamed('b')], ignored: [] });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(keySet.ring()?.size).toBe(2);
    expect(keySet.state().failedFetches).toBe(0);
  });
});

describe('the times of the service', () => {
  it('are those of the documentation', () => {
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
  it('tell of each fetch, whether the keys changed, and of bad keys once', async () => {
    const key = keyNamed('a');
    const ignored = [{ which: 'key 2', why: 'is a symmetric key' }];
    answer = () => ({ keys: [key], ignored });
    await started();
    await vi.advanceTimersByTimeAsync(10 * minute);
    answer = fails;
    await vi.advanceTimersByTimeAsync(10 * minute);
    const iss = 'https://issuer.example';
    expect(events).toEqual([
      { event: 'keyIgnored', iss, ...ignored[0] },
      { event: 'fetched', iss, keys: 1, changed: true, durationMs: 0 },
      { event: 'fetched', iss, keys: 1, changed: false, durationMs: 0 },
      { event: 'failed', iss, failure: 'status', durationMs: 0, keysInUse: true },
    ]);
  });

  it('call what is not a KeySetError a bug of ours, and go on', async () => {
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
