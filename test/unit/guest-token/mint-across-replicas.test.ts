// How a process without a token gets one: from another replica, or a new one. The store is simulated.
import { describe, expect, it } from 'vitest';
import { ServiceError, type ErrorCode } from '../../../src/errors.ts';
import {
  createMintAcrossReplicas,
  type MintedOrFound,
  type SharedToken,
  type SharedTokens,
} from '../../../src/guest-token/mint-across-replicas.ts';
import type { ReusableToken, ReuseKey } from '../../../src/guest-token/reusable-token.ts';
import type { LockReply } from '../../../src/redis/redis-lock.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { refusalOf } from '../../support/refusal-of-code.ts';
import { createApiKeys, grantOf, hour } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const key = 'reuse-key' as ReuseKey;
const minute = 60_000;
const token = '0d6c2f0e-2d7c-4c8f-9a51-7b0f6f3f1a2b';
const other: SharedToken = { token: 'other', lifetimeMs: hour, remainingMs: 50 * minute };
const spare: SharedToken = { ...other, remainingMs: 20 * minute };
const useless: SharedToken = { ...other, remainingMs: 59_000 };

interface Store {
  readonly stored?: SharedToken | undefined;
  readonly isUp?: boolean;
  /** The result of each attempt to take the lock; the last result repeats. */
  readonly locks?: readonly ('free' | 'held' | 'unavailable')[];
}

function start(store?: Store) {
  const clock = createManualClock();
  const apiKeys = createApiKeys();
  const apiKey = apiKeys.get('DATABRAIN_API_KEY') ?? new Secret('');
  const happened: string[] = [];
  const kept: ReusableToken[] = [];
  const put: SharedToken[] = [];
  const state = { stored: store?.stored, isUp: store?.isUp ?? true, mint: async () => undefined as void };
  const locks = [...(store?.locks ?? ['free'])];
  const lock = async (): Promise<LockReply> => {
    const next = (locks.length > 1 ? locks.shift() : locks[0]) ?? 'free';
    happened.push(`lock ${next}`);
    return next === 'free' ? { release: () => void happened.push('release') } : next;
  };
  const shared: SharedTokens = {
    isUp: async () => state.isUp,
    get: async () => state.stored,
    getAnyway: async () => {
      happened.push('ask anyway');
      return state.stored;
    },
    put: async (_key, _apiKey, stored) => void put.push(stored),
    lock,
  };
  const mintAcrossReplicas = createMintAcrossReplicas({
    mint: async (grant, priority, spentMs) => {
      happened.push(`mint ${priority} ${spentMs}`);
      const sentAt = clock.monotonic();
      await state.mint();
      return { token, sentAt, lifetimeMs: grant.lifetimeMs };
    },
    apiKeys,
    minimumShare: 0.5,
    deadlineMs: 8_000,
    clock,
    random: () => 0.5,
    pause: async (ms) => {
      happened.push(`pause ${ms}`);
      clock.advance(ms);
    },
    shared: store && shared,
    keep: (_key, reusable) => kept.push(reusable),
  });
  const known: ReusableToken = {
    token: 'known',
    tokenSha256: '',
    sentAt: clock.monotonic() - 40 * minute,
    lifetimeMs: hour,
    renewAt: 0,
  };
  const get = (withKnown = false, grant = grantOf()): Promise<MintedOrFound> =>
    mintAcrossReplicas({ key, apiKey, grant }, withKnown ? known : undefined);
  const fail = (code: ErrorCode): void => {
    state.mint = () => Promise.reject(refusalOf(code));
  };
  return { clock, apiKeys, happened, kept, put, state, get, fail };
}

describe('without a shared store', () => {
  it('a token is minted and kept, with a renewal after 70 to 95 % of the time in which it is fresh', async () => {
    const { clock, kept, get, happened } = start();
    const { token: minted, source } = await get(false, grantOf({ notAfterMs: 7 }));
    expect([minted.token, source, kept]).toEqual([token, 'minted', [minted]]);
    expect(minted).toMatchObject({ lifetimeMs: hour, notAfterMs: 7, sentAt: clock.monotonic() });
    expect(minted.renewAt - minted.sentAt).toBeCloseTo(hour * 0.5 * (0.7 + 0.125));
    expect(minted.tokenSha256).toMatch(/^[0-9a-f]{16}$/);
    expect(happened).toEqual(['mint user 0']);
  });

  it('a renewal is minted with lower priority than waiting users', async () => {
    const { get, happened } = start();
    await get(true);
    expect(happened).toEqual(['mint renewal 0']);
  });

  it.each(['UPSTREAM_UNAVAILABLE', 'UPSTREAM_REJECTED'] as const)(
    'a failure of the mint is returned: %s',
    async (code) => {
      const { get, fail, kept } = start();
      fail(code);
      await expect(get()).rejects.toMatchObject({ code });
      expect(kept).toEqual([]);
    },
  );

  it('a token is not kept if its API key was replaced during the mint', async () => {
    const { get, apiKeys, state, kept, put } = start({});
    state.mint = async () => apiKeys.set('DATABRAIN_API_KEY', 'another');
    expect((await get()).source).toBe('minted');
    expect([kept, put]).toEqual([[], []]);
  });
});

describe('with a shared store', () => {
  it('a token is minted under the lock and stored for others, and the lock is released', async () => {
    const { get, happened, put } = start({});
    expect((await get(false, grantOf({ notAfterMs: 7 }))).source).toBe('minted');
    expect(happened).toEqual(['lock free', 'mint user 0', 'release']);
    expect(put).toEqual([{ token, lifetimeMs: hour, remainingMs: hour, notAfterMs: 7 }]);
  });

  it('a fresh token of another replica is used, with its remaining lifetime', async () => {
    const { clock, get, happened, kept } = start({ stored: other });
    const { token: taken, source } = await get();
    expect([taken.token, source, kept]).toEqual(['other', 'shared', [taken]]);
    expect(taken.sentAt).toBe(clock.monotonic() + 50 * minute - hour);
    expect(happened).toEqual(['lock free', 'release']);
  });

  it('a user gets a spare token of another replica, and a renewal replaces it', async () => {
    const first = start({ stored: spare });
    expect((await first.get()).source).toBe('found');
    expect(first.kept).toHaveLength(1);
    const renewal = start({ stored: spare });
    expect((await renewal.get(true)).source).toBe('minted');
    expect(renewal.happened).toEqual(['lock free', 'mint renewal 0', 'release']);
  });

  it('an unusable token of another replica is not kept', async () => {
    const { get, kept } = start({ stored: useless });
    expect((await get()).source).toBe('minted');
    expect(kept.map((one) => one.token)).toEqual([token]);
  });

  it('a renewal does not use the token that it replaces', async () => {
    const { get } = start({ stored: { ...other, token: 'known' } });
    expect((await get(true)).source).toBe('minted');
  });

  it('the lock is released if the mint fails', async () => {
    const { get, fail, happened } = start({});
    fail('UPSTREAM_REJECTED');
    await expect(get()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
    expect(happened).toEqual(['lock free', 'mint user 0', 'release']);
  });

  it('a caller waits for a held lock, and mints within the same deadline if the holder stops', async () => {
    const { get, happened } = start({ locks: ['held', 'held', 'free'] });
    expect((await get()).source).toBe('minted');
    const waiting = ['lock held', 'pause 60'];
    expect(happened).toEqual([...waiting, ...waiting, 'lock free', 'mint user 120', 'release']);
  });

  it('a caller that waits for the lock uses the token of the holder', async () => {
    const { get, happened, state } = start({ locks: ['held'] });
    const got = get();
    state.stored = other;
    expect((await got).source).toBe('shared');
    expect(happened).not.toContain('mint user 0');
  });

  it('a caller that waits for the lock is refused at the deadline', async () => {
    const { clock, get, happened } = start({ locks: ['held'] });
    const startedAt = clock.monotonic();
    await expect(get()).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
    expect(clock.monotonic() - startedAt).toBeGreaterThanOrEqual(8_000);
    expect(clock.monotonic() - startedAt).toBeLessThan(8_100);
    expect(happened.filter((one) => one.startsWith('mint'))).toEqual([]);
  });

  it.each<readonly [ErrorCode, SharedToken | undefined, string]>([
    ['UPSTREAM_UNAVAILABLE', spare, 'spare'],
    ['UPSTREAM_TIMEOUT', spare, 'spare'],
    ['UPSTREAM_INVALID_RESPONSE', other, 'spare'],
    ['UPSTREAM_UNAVAILABLE', undefined, 'UPSTREAM_UNAVAILABLE'],
    ['UPSTREAM_UNAVAILABLE', useless, 'UPSTREAM_UNAVAILABLE'],
    ['UPSTREAM_REJECTED', spare, 'UPSTREAM_REJECTED'],
  ])('if a mint fails with %s, the user gets a token that the store has by then', async (code, stored, outcome) => {
    const { get, state, kept } = start({});
    state.mint = () => {
      state.stored = stored;
      return Promise.reject(refusalOf(code));
    };
    const got = await get().catch((error: unknown) => error as ServiceError);
    expect('source' in got ? got.source : got.code).toBe(outcome);
    expect(kept).toHaveLength(outcome === 'spare' ? 1 : 0);
  });

  it('a renewal that fails does not read the store again', async () => {
    const { get, fail, happened } = start({});
    fail('UPSTREAM_UNAVAILABLE');
    await expect(get(true)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect(happened).not.toContain('ask anyway');
  });
});

describe('with a store that does not respond', () => {
  const slow = () => new Promise<void>(() => undefined);

  it.each<Store>([{ isUp: false }, { locks: ['unavailable'] }])('a user gets a new token: %j', async (store) => {
    const { get, happened } = start(store);
    expect((await get()).source).toBe('minted');
    expect(happened).not.toContain('release');
  });

  it('a user gets the stored token if it arrives before the end of a slow mint', async () => {
    const { get, state, happened } = start({ isUp: false, stored: other });
    state.mint = slow;
    expect((await get()).source).toBe('shared');
    expect(happened).toEqual(['mint user 0', 'ask anyway']);
  });

  it('a user with a spare token in the store waits for a moment for a new one', async () => {
    const { get, state, happened } = start({ isUp: false, stored: spare });
    state.mint = slow;
    expect((await get()).source).toBe('spare');
    expect(happened.at(-1)).toBe('pause 1500');
  });

  it.each<readonly [ErrorCode, SharedToken | undefined, string]>([
    ['UPSTREAM_UNAVAILABLE', spare, 'spare'],
    ['UPSTREAM_UNAVAILABLE', undefined, 'UPSTREAM_UNAVAILABLE'],
    ['UPSTREAM_UNAVAILABLE', useless, 'UPSTREAM_UNAVAILABLE'],
    ['UPSTREAM_REJECTED', spare, 'UPSTREAM_REJECTED'],
  ])(
    'if a mint fails with %s, the user gets a stored token, unless the upstream refused the request',
    async (code, stored, outcome) => {
      const { get, fail } = start({ isUp: false, stored });
      fail(code);
      const got = await get().catch((error: unknown) => error as ServiceError);
      expect('source' in got ? got.source : got.code).toBe(outcome);
    },
  );

  it('a renewal mints without reading the store', async () => {
    const { get, happened } = start({ isUp: false, stored: other });
    expect((await get(true)).source).toBe('minted');
    expect(happened).toEqual(['mint renewal 0']);
  });
});
