import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
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

describe('issuing a guest token', () => {
  it('returns the same token to the same user for the same request, with the remaining lifetime', async () => {
    const { issue, grants, clock, results } = start();
    const first = await issue(grantOf(), alice);
    clock.advance(10 * minute);
    const second = await issue(grantOf(), alice);
    expect(first).toMatchObject({ reused: false, expiresInSeconds: 3600 });
    const tokenSha256 = createHash('sha256').update(first.token).digest('hex').slice(0, 16);
    const { grantTag } = first;
    expect(second).toEqual({ token: first.token, tokenSha256, grantTag, reused: true, expiresInSeconds: 3000 });
    expect(grants).toHaveLength(1);
    expect(results).toEqual(['minted', 'hit']);
  });

  it.each([
    ['another user', () => issueArguments({}, 'bob')],
    [
      'a role that changes the request',
      () => issueArguments({ request: { clientId: 'acme', dataAppName: 'sales-dashboard' } }),
    ],
    ['a policy that changes the lifetime', () => issueArguments({ lifetimeMs: 2 * hour })],
  ])('mints another token for %s', async (_, other) => {
    const { issue, grants } = start();
    const first = await issue(grantOf(), alice);
    const second = await issue(...other());
    expect(second.token).not.toBe(first.token);
    expect(grants).toHaveLength(2);
  });

  it('mints another token after the API key changed, and reuses the earlier token after it changed back', async () => {
    const { issue, apiKeys } = start();
    const before = apiKeys.get('DATABRAIN_API_KEY')?.reveal();
    const first = await issue(grantOf(), alice);
    apiKeys.set('DATABRAIN_API_KEY', 'another key');
    const second = await issue(grantOf(), alice);
    apiKeys.set('DATABRAIN_API_KEY', before);
    expect(second.token).not.toBe(first.token);
    expect((await issue(grantOf(), alice)).token).toBe(first.token);
  });

  it('does not keep a token under an API key that changed during the mint', async () => {
    const { issue, apiKeys, behave, grants } = start();
    const before = apiKeys.get('DATABRAIN_API_KEY')?.reveal();
    behave(async () => apiKeys.set('DATABRAIN_API_KEY', 'swapped'));
    await issue(grantOf(), alice);
    behave(async () => undefined);
    apiKeys.set('DATABRAIN_API_KEY', before);
    expect((await issue(grantOf(), alice)).reused).toBe(false);
    expect(grants).toHaveLength(2);
  });

  it('mints a new token if less than the configured share of its lifetime is left', async () => {
    const { issue, clock, grants } = start({ minRemainingPercent: 90 });
    await issue(grantOf(), alice);
    clock.advance(6 * minute + 1);
    expect(await issue(grantOf(), alice)).toMatchObject({ reused: false, expiresInSeconds: 3600 });
    expect(grants).toHaveLength(2);
  });

  it('keeps the configured number of tokens, and removes the least recently used ones', async () => {
    const { issue, grants } = start({ maxEntries: 2 });
    for (const sub of ['alice', 'bob', 'alice', 'carol', 'alice', 'bob']) await issue(grantOf(), principalOf(sub));
    expect(grants).toHaveLength(4);
  });

  it('never reports an expiry after the end of the access token', async () => {
    const { issue, clock } = start();
    const notAfterMs = clock.now() + 10 * minute;
    const { expiresInSeconds } = await issue(grantOf({ notAfterMs, lifetimeMs: 10 * minute + 900 }), alice);
    expect(expiresInSeconds).toBe(600);
  });

  it('refuses if the access token ends while the upstream is slow', async () => {
    const { issue, clock, behave } = start();
    behave(async () => clock.advance(5_000));
    const grant = grantOf({ notAfterMs: clock.now() + 5_000, lifetimeMs: 5_000 });
    await expect(issue(grant, alice)).rejects.toMatchObject({
      code: 'TOKEN_EXPIRED',
      reason: 'access_token_ends_too_soon',
    });
  });

  it('refuses with INTERNAL_ERROR if there is no API key', async () => {
    const { issue, apiKeys, grants } = start();
    apiKeys.set('DATABRAIN_API_KEY', undefined);
    await expect(issue(grantOf(), alice)).rejects.toMatchObject({ code: 'INTERNAL_ERROR', reason: 'api_key_missing' });
    expect(grants).toEqual([]);
  });

  it('does not refuse because of the access token if the guest token ended first', async () => {
    const { issue, clock, behave } = start();
    behave(async () => clock.advance(5_000));
    const grant = grantOf({ notAfterMs: clock.now() + hour, lifetimeMs: 5_000 });
    await expect(issue(grant, alice)).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  });

  it('refuses a token that expires while the upstream is slow', async () => {
    const { issue, clock, behave } = start();
    behave(async () => clock.advance(5_000));
    await expect(issue(grantOf({ lifetimeMs: 5_000 }), alice)).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  });
});

function issueArguments(part: Parameters<typeof grantOf>[0], sub = 'alice') {
  return [grantOf(part), principalOf(sub)] as const;
}

describe('identical requests at the same moment', () => {
  it('cause one mint, however many there are', async () => {
    const { issue, grants, behave, results } = start();
    behave(() => new Promise((resolve) => setTimeout(resolve, 20)));
    const tokens = await Promise.all(Array.from({ length: 500 }, () => issue(grantOf(), alice)));
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(1);
    expect(tokens.filter(({ reused }) => !reused)).toHaveLength(1);
    expect(grants).toHaveLength(1);
    expect(results.filter((result) => result === 'joined')).toHaveLength(499);
  });

  it('fail together, and the next request tries again', async () => {
    const { issue, grants, behave } = start();
    behave(fails('UPSTREAM_UNAVAILABLE'));
    const outcomes = await Promise.allSettled([issue(grantOf(), alice), issue(grantOf(), alice)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(grants).toHaveLength(1);
    behave(async () => undefined);
    expect(await issue(grantOf(), alice)).toMatchObject({ reused: false });
  });

  it('of different users cause separate mints', async () => {
    const { issue } = start();
    const tokens = await Promise.all(['alice', 'bob'].map((sub) => issue(grantOf(), principalOf(sub))));
    expect(tokens[0]?.token).not.toBe(tokens[1]?.token);
  });

  it('with access tokens of different expiry cause separate mints, because no token may outlive its access token', async () => {
    const { issue, grants, behave, clock } = start();
    const long = grantOf({ notAfterMs: clock.now() + 2 * hour });
    const short = grantOf({ notAfterMs: clock.now() + hour + 2_000 });
    behave(async (grant) => {
      if (grant === long) await new Promise((resolve) => setTimeout(resolve, 20)).then(() => clock.advance(3_000));
    });
    const [first, second] = await Promise.all([issue(long, alice), issue(short, alice)]);
    expect(grants).toEqual([long, short]);
    expect(second.token).not.toBe(first.token);
  });

  it('are refused early if too many different ones wait', async () => {
    const { issue, behave } = start();
    let openGate: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (openGate = resolve));
    behave(() => gate);
    const waiting = Array.from({ length: 4096 }, (_, user) => issue(grantOf(), principalOf(`user ${user}`)));
    await expect(issue(grantOf(), alice)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', reason: 'queue_full' });
    openGate();
    expect(await Promise.all(waiting)).toHaveLength(4096);
  });
});

describe('without reuse', () => {
  it('every request mints its own token, even at the same moment', async () => {
    const { issue, grants } = start({ mode: 'off' });
    const tokens = await Promise.all([issue(grantOf(), alice), issue(grantOf(), alice)]);
    expect(tokens[0]?.token).not.toBe(tokens[1]?.token);
    expect(tokens.every(({ reused }) => !reused)).toBe(true);
    expect(grants).toHaveLength(2);
  });
});

describe('renewal ahead of time', () => {
  it('starts once, in the background of a request that still gets the old token', async () => {
    const { issue, clock, grants, close, renewals } = start();
    const { token } = await issue(grantOf(), alice);
    clock.advance(20 * minute);
    await issue(grantOf(), alice);
    expect(grants).toHaveLength(1);
    clock.advance(6 * minute);
    const together = await Promise.all([issue(grantOf(), alice), issue(grantOf(), alice)]);
    expect(together.map((one) => one.token)).toEqual([token, token]);
    await close();
    expect(grants).toHaveLength(2);
    expect(renewals).toEqual(['renewed']);
    const renewed = await issue(grantOf(), alice);
    expect(renewed.token).not.toBe(token);
    expect(renewed.expiresInSeconds).toBe(3600);
  });

  it('does not start without a request', async () => {
    const { issue, clock, grants } = start();
    await issue(grantOf(), alice);
    for (let count = 0; count < 60; count += 1) clock.advance(minute);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(grants).toHaveLength(1);
  });

  it('starts at a different time for each token', async () => {
    const momentsOf = async (random: () => number): Promise<number> => {
      const { issue, clock, grants } = start({ random });
      await issue(grantOf(), alice);
      let minutes = 0;
      while (grants.length === 1) {
        clock.advance(minute / 10);
        minutes += 0.1;
        await issue(grantOf(), alice);
      }
      return minutes;
    };
    const [earliest, latest] = [await momentsOf(() => 0), await momentsOf(() => 0.999)];
    expect(earliest).toBeGreaterThan(20.9);
    expect(latest - earliest).toBeGreaterThan(5);
    expect(latest).toBeLessThan(29);
  });

  it('that fails does not affect users, and is repeated only after a pause', async () => {
    const { issue, clock, behave, grants, renewals } = start();
    const { token } = await issue(grantOf(), alice);
    behave(fails('UPSTREAM_UNAVAILABLE'));
    clock.advance(29 * minute);
    for (let count = 0; count < 5; count += 1) {
      expect((await issue(grantOf(), alice)).token).toBe(token);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(grants).toHaveLength(2);
    expect(renewals).toEqual(['failed']);
    clock.advance(10_000);
    await issue(grantOf(), alice);
    expect(grants).toHaveLength(3);
  });

  it('runs for at most eight tokens at a time', async () => {
    const { issue, clock, behave, grants, priorities, close } = start();
    const users = Array.from({ length: 12 }, (_, user) => principalOf(`user ${user}`));
    for (const user of users) await issue(grantOf(), user);
    clock.advance(29 * minute);
    const answers: (() => void)[] = [];
    behave(() => new Promise((resolve) => answers.push(resolve)));
    for (const user of users) await issue(grantOf(), user);
    expect(grants).toHaveLength(12 + 8);
    expect(priorities.slice(12)).toEqual(Array(8).fill('renewal'));
    answers[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    for (const user of users) await issue(grantOf(), user);
    expect(grants).toHaveLength(12 + 9);
    for (const answer of answers) answer();
    await close();
  });

  it('does not start while a call would have to wait, and starts once calls can be sent', async () => {
    let hasRoom = false;
    const { issue, clock, grants } = start({ upstreamHasRoom: () => hasRoom });
    await issue(grantOf(), alice);
    clock.advance(29 * minute);
    await issue(grantOf(), alice);
    expect(grants).toHaveLength(1);
    hasRoom = true;
    await issue(grantOf(), alice);
    expect(grants).toHaveLength(2);
  });

  it('does not start after closing', async () => {
    const { issue, clock, grants, close } = start();
    await issue(grantOf(), alice);
    await close();
    clock.advance(29 * minute);
    await issue(grantOf(), alice);
    expect(grants).toHaveLength(1);
  });
});
