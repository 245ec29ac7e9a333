import { describe, expect, it } from 'vitest';
import type { SharedToken, SharedTokens } from '../../../src/guest-token/mint-across-replicas.ts';
import { refusalOf } from '../../support/refusal-of-code.ts';
import { createApiKeys, createScriptedMint, grantOf, hour, principalOf, startIssue } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const minute = 60_000;
const alice = principalOf('alice');

const start = (options: Partial<Parameters<typeof startIssue>[0]> = {}) => {
  const clock = createManualClock();
  const apiKeys = createApiKeys();
  const { mint, ...scripted } = createScriptedMint(clock);
  return { clock, apiKeys, ...scripted, ...startIssue({ mint, apiKeys, clock, ...options }) };
};

const fails =
  (code: 'UPSTREAM_UNAVAILABLE' | 'UPSTREAM_TIMEOUT' | 'UPSTREAM_INVALID_RESPONSE' | 'UPSTREAM_REJECTED') => () =>
    Promise.reject(refusalOf(code));

const hangs = (): Promise<void> => new Promise(() => undefined);

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A shared store with one token of another replica. */
const storeOf = (stored: SharedToken | undefined, part: Partial<SharedTokens> = {}): SharedTokens => ({
  isUp: async () => true,
  get: async () => stored,
  getAnyway: async () => stored,
  put: async () => undefined,
  lock: async () => ({ release: () => undefined }),
  ...part,
});

const theirs = '0d6c2f0e-2d7c-4c8f-9a51-7b0f6f3f1a2b';
/** 20 of 60 minutes are left: less than the required half. */
const spareOfOthers: SharedToken = { token: theirs, lifetimeMs: hour, remainingMs: 20 * minute };

describe('while the upstream is down', () => {
  it.each(['UPSTREAM_UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'UPSTREAM_INVALID_RESPONSE'] as const)(
    'a token with one minute left is returned instead of %s',
    async (code) => {
      const { issue, clock, behave, results } = start();
      const { token } = await issue(grantOf(), alice);
      behave(fails(code));
      clock.advance(59 * minute);
      expect(await issue(grantOf(), alice)).toMatchObject({ token, reused: true, expiresInSeconds: 60 });
      expect(results).toEqual(['minted', 'spare']);
      clock.advance(1000);
      await expect(issue(grantOf(), alice)).rejects.toMatchObject({ code });
    },
  );

  it('a spare token is not returned when the upstream refuses the request', async () => {
    const { issue, clock, behave } = start();
    await issue(grantOf(), alice);
    behave(fails('UPSTREAM_REJECTED'));
    clock.advance(31 * minute);
    await expect(issue(grantOf(), alice)).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
  });

  it('no user gets a token of another user or of an earlier policy', async () => {
    const { issue, behave } = start();
    await issue(grantOf(), alice);
    behave(fails('UPSTREAM_UNAVAILABLE'));
    await expect(issue(grantOf(), principalOf('bob'))).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    await expect(issue(grantOf({ lifetimeMs: minute }), alice)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  });

  it('a spare token is not returned when the upstream answers in time', async () => {
    const { issue, clock, behave } = start();
    const { token } = await issue(grantOf(), alice);
    clock.advance(40 * minute);
    behave(() => new Promise((resolve) => setTimeout(resolve, 20)));
    expect((await issue(grantOf(), alice)).token).not.toBe(token);
  });
});

describe('a user with a spare token', () => {
  it('gets it at once if a call cannot be sent now, and leaves calls for users without one', async () => {
    let hasRoom = true;
    const { issue, clock, grants, close } = start({ upstreamHasRoom: () => hasRoom });
    const { token } = await issue(grantOf(), alice);
    clock.advance(40 * minute);
    hasRoom = false;
    expect(await issue(grantOf(), alice)).toMatchObject({ token, reused: true });
    await close();
    expect(grants).toHaveLength(1);
  });

  it('calls the upstream with renewal priority, while a user without a spare token has user priority', async () => {
    const { issue, clock, priorities } = start();
    await issue(grantOf(), alice);
    clock.advance(40 * minute);
    await issue(grantOf(), alice);
    clock.advance(29 * minute);
    await issue(grantOf(), alice);
    await settled();
    expect(priorities).toEqual(['user', 'renewal', 'renewal']);
  });

  it('still waits if an earlier call was answered in time', async () => {
    const pauses: (() => void)[] = [];
    const { issue, clock, grants } = start({ pause: () => new Promise((resolve) => pauses.push(resolve)) });
    for (const sub of ['alice', 'bob']) await issue(grantOf(), principalOf(sub));
    clock.advance(40 * minute);
    expect((await issue(grantOf(), alice)).reused).toBe(false);
    // The time limit of the answered call ends, which no longer matters.
    for (const over of pauses) over();
    await settled();
    expect((await issue(grantOf(), principalOf('bob'))).reused).toBe(false);
    expect(grants).toHaveLength(4);
  });

  it('waits for a moment when the upstream is slow, and the fresh token that arrives later is kept', async () => {
    const pauses: number[] = [];
    const { issue, clock, behave, grants } = start({ pause: async (ms) => void pauses.push(ms) });
    const { token } = await issue(grantOf(), alice);
    clock.advance(40 * minute);
    let answer: () => void = () => undefined;
    behave(() => new Promise((resolve) => (answer = resolve)));
    expect(await issue(grantOf(), alice)).toMatchObject({ token, reused: true });
    expect(pauses).toEqual([1_500]);
    answer();
    await settled();
    const fresh = await issue(grantOf(), alice);
    expect(fresh).toMatchObject({ reused: true, expiresInSeconds: 3600 });
    expect(fresh.token).not.toBe(token);
    expect(grants).toHaveLength(2);
  });

  it('does not wait after another user waited without success, until a token is minted again', async () => {
    const pauses: number[] = [];
    const { issue, clock, behave } = start({ pause: async (ms) => void pauses.push(ms) });
    const users = ['alice', 'bob', 'carol'].map((sub) => principalOf(sub));
    for (const user of users) await issue(grantOf(), user);
    clock.advance(40 * minute);
    const answers: (() => void)[] = [];
    behave(() => new Promise((resolve) => answers.push(resolve)));
    for (const user of users) expect(await issue(grantOf(), user)).toMatchObject({ reused: true });
    expect(pauses).toEqual([1_500]);
    expect(answers, 'a mint is tried behind each').toHaveLength(3);
    answers[1]?.();
    await settled();
    await issue(grantOf(), users[2] ?? alice);
    expect(pauses, 'the wait is worth it again').toEqual([1_500, 1_500]);
  });

  it('waits no longer than the first user', async () => {
    const ends: (() => void)[] = [];
    const { issue, clock, behave } = start({ pause: () => new Promise((resolve) => ends.push(resolve)) });
    const users = ['alice', 'bob', 'carol'].map((sub) => principalOf(sub));
    const tokens = [];
    for (const user of users) tokens.push((await issue(grantOf(), user)).token);
    clock.advance(40 * minute);
    behave(hangs);
    const waiting = users.map((user) => issue(grantOf(), user));
    await settled();
    expect(ends).toHaveLength(3);
    ends[0]?.();
    expect((await Promise.all(waiting)).map(({ token }) => token)).toEqual(tokens);
  });

  it('does not wait for the data app of another API key', async () => {
    const { issue, clock, behave, apiKeys } = start({ pause: async () => undefined });
    apiKeys.set('DATABRAIN_API_KEY_OTHER', 'c1946ac9-2ee6-4ab1-9d5a-6f0a3f1c2d3e');
    const other = grantOf({ apiKeyName: 'DATABRAIN_API_KEY_OTHER' });
    await issue(grantOf(), alice);
    const before = await issue(other, alice);
    clock.advance(40 * minute);
    behave((grant) => (grant === other ? Promise.resolve() : hangs()));
    await issue(grantOf(), alice);
    expect((await issue(other, alice)).token).toBe(before.token);
    await settled();
    expect((await issue(other, alice)).token, 'was replaced meanwhile').not.toBe(before.token);
  });
});

describe('a spare token of another replica', () => {
  it('is returned at once if a call cannot be sent now', async () => {
    const { issue, grants, results } = start({ shared: storeOf(spareOfOthers), upstreamHasRoom: () => false });
    expect(await issue(grantOf(), alice)).toMatchObject({ token: theirs, reused: true, expiresInSeconds: 1200 });
    expect(grants).toEqual([]);
    expect(results).toEqual(['spare']);
  });

  it('is returned after a short wait when the upstream hangs, and at once from then on', async () => {
    const pauses: number[] = [];
    const { issue, behave } = start({ shared: storeOf(spareOfOthers), pause: async (ms) => void pauses.push(ms) });
    behave(hangs);
    expect(await issue(grantOf(), alice)).toMatchObject({ token: theirs });
    expect(await issue(grantOf(), principalOf('bob'))).toMatchObject({ token: theirs });
    expect(pauses).toEqual([1_500]);
  });

  it('is read during the mint if the store is marked as down', async () => {
    const pauses: number[] = [];
    const shared = storeOf(spareOfOthers, { isUp: async () => false });
    const { issue, behave } = start({ shared, pause: async (ms) => void pauses.push(ms) });
    behave(hangs);
    expect(await issue(grantOf(), alice)).toMatchObject({ token: theirs });
    expect(pauses).toEqual([1_500]);
  });

  it('is read during the mint if the store stops responding', async () => {
    const shared = storeOf(spareOfOthers, { get: async () => undefined, lock: async () => 'unavailable' });
    const { issue, behave } = start({ shared, pause: async () => undefined });
    behave(hangs);
    expect(await issue(grantOf(), alice)).toMatchObject({ token: theirs });
  });

  it('is returned if minting fails while the store is marked as down', async () => {
    const { issue, behave } = start({ shared: storeOf(spareOfOthers, { isUp: async () => false }), pause: hangs });
    behave(fails('UPSTREAM_UNAVAILABLE'));
    expect(await issue(grantOf(), alice)).toMatchObject({ token: theirs });
    behave(fails('UPSTREAM_REJECTED'));
    await expect(issue(grantOf(), principalOf('bob'))).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
  });

  it('is not returned with less than a minute left, or if it ends after the grant', async () => {
    for (const [stored, grant] of [
      [{ ...spareOfOthers, remainingMs: minute - 1 }, grantOf()],
      [spareOfOthers, grantOf({ lifetimeMs: 19 * minute })],
      [spareOfOthers, { ...grantOf(), notAfterMs: createManualClock().now() + 19 * minute }],
    ] as const) {
      for (const isUp of [true, false]) {
        const { issue, behave } = start({ shared: storeOf(stored, { isUp: async () => isUp }), pause: hangs });
        behave(fails('UPSTREAM_UNAVAILABLE'));
        await expect(issue(grant, alice)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
      }
    }
  });

  it('is replaced when the upstream responds, and a fresh token of another replica is used without minting', async () => {
    const first = start({ shared: storeOf(spareOfOthers) });
    expect((await first.issue(grantOf(), alice)).token).not.toBe(theirs);
    const second = start({ shared: storeOf({ ...spareOfOthers, remainingMs: 40 * minute }) });
    expect(await second.issue(grantOf(), alice)).toMatchObject({ token: theirs, expiresInSeconds: 2400 });
    expect(second.grants).toEqual([]);
    const third = start({
      shared: storeOf({ ...spareOfOthers, remainingMs: 40 * minute }, { isUp: async () => false }),
    });
    third.behave(hangs);
    expect(await third.issue(grantOf(), alice)).toMatchObject({ token: theirs, expiresInSeconds: 2400 });
    expect(third.results).toEqual(['shared']);
  });
});
