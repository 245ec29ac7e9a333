// The mint with any sequence of responses, with a simulated network and clock.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import type { ExchangeRequest, Exchange } from '../../../src/databrain/exchange.ts';
import { createRenewKey } from '../../../src/secrets/api-keys.ts';
import { createLanes } from '../../../src/databrain/lanes.ts';
import { createMint, type MintPriority, createTokenOwners } from '../../../src/databrain/mint.ts';
import { createToRequestBody } from '../../../src/databrain/api-messages.ts';
import { upstreamLimits } from '../../../src/databrain/upstream-client.ts';
import { validateUpstreamBody } from '../../../src/policy/upstream-request.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { grantFor } from '../../support/servers/faulty-upstream-client.ts';

const timeoutMs = 3000;
const deadlineMs = 8000;
const token = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

interface Step {
  /** How the upstream responds to one call. */
  readonly exchange: Exchange;
  readonly tookMs: number;
}

const answered = (status: number, body: unknown, retryAfter?: string): Exchange => ({
  kind: 'response',
  response: { status, contentEncoding: undefined, body: Buffer.from(JSON.stringify(body)) },
  retryAfter,
  overUsedConnection: false,
});
const lost = (how: Extract<Exchange, { kind: 'lost' }>['how']): Exchange => ({ kind: 'lost', how });

function start(steps: readonly Step[], maxRetries = 2, consecutiveFailures = 10) {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const sent: { readonly at: number; readonly request: ExchangeRequest }[] = [];
  const events: string[] = [];
  let keyGeneration = 0;
  const apiKeys = {
    get: () => new Secret(`key-${keyGeneration}`),
    reload: () => Promise.resolve((keyGeneration += 1) > 0),
  };
  const lanes = createLanes({
    ...upstreamLimits,
    clock,
    maxConcurrent: 8,
    maxConcurrentPerKey: 8,
    maxWaiting: 8,
    circuit: { ...upstreamLimits.circuit, consecutiveFailures },
    events: { circuit: () => undefined, slowedDown: () => events.push('slowed down') },
  });
  const mint = createMint({
    clock,
    apiKeys,
    renewKey: createRenewKey(apiKeys),
    toRequestBody: createToRequestBody(validateUpstreamBody),
    exchanges: {
      distrust: () => events.push('distrust'),
      close: () => Promise.resolve(),
      send: async (request) => {
        const step = steps[sent.length] ?? { exchange: answered(200, { token }), tookMs: 1 };
        sent.push({ at: clock.monotonic(), request });
        const isCut = step.tookMs > request.timeoutMs;
        await new Promise((resolve) => setTimeout(resolve, Math.min(step.tookMs, request.timeoutMs)));
        return isCut ? lost('timed_out') : step.exchange;
      },
    },
    laneOf: lanes.of,
    tokenOwners: createTokenOwners(100),
    retry: {
      maxRetries,
      baseMs: upstreamLimits.backoffMs,
      maxBackoffMs: upstreamLimits.maxBackoffMs,
      minCallMs: upstreamLimits.minCallMs,
      random: () => 0.5,
    },
    events: {
      callEnded: ({ result }) => events.push(result),
      retry: () => events.push('retry'),
      keyRefused: () => events.push('key refused'),
    },
    pause: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    timeoutMs,
    deadlineMs,
  });
  return { mint, sent, events, circuitState: () => lanes.of('DATABRAIN_API_KEY').circuit.state() };
}

/** Mints on a fast virtual clock; returns the outcome and the virtual duration. */
async function finish(mint: ReturnType<typeof start>['mint'], user = 'acme', priority?: MintPriority) {
  const begin = performance.now();
  const outcome: Promise<{ summary: string; detail?: ServiceError['detail']; sentAt?: number }> = mint(
    grantFor(user),
    priority,
  ).then(
    (minted) => ({ summary: minted.token, sentAt: minted.sentAt }),
    (error: unknown) => {
      if (!(error instanceof ServiceError)) throw error;
      return { summary: error.message, detail: error.detail };
    },
  );
  let ms: number | undefined;
  void outcome.then(() => (ms = performance.now() - begin));
  while (ms === undefined) await vi.advanceTimersByTimeAsync(100);
  return { ...(await outcome), ms };
}

describe('Minting under one deadline', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('returns the token with the time when its call was sent', async () => {
    const { mint, sent } = start([{ exchange: answered(503, 'busy'), tookMs: 700 }]);
    const { summary, sentAt } = await finish(mint);
    expect(summary).toBe(token);
    expect(sentAt).toBe(sent[1]?.at);
  });

  it('waits for Retry-After and the lower call rate before it retries', async () => {
    const { mint, sent, events } = start([{ exchange: answered(429, '', '3'), tookMs: 10 }]);
    expect((await finish(mint)).summary).toBe(token);
    expect((sent[1]?.at ?? 0) - (sent[0]?.at ?? 0)).toBeGreaterThanOrEqual(3010);
    expect(events).toEqual(['rate_limited', 'slowed down', 'retry', 'token']);
  });

  it('replaces one connection that was closed while idle, and a second one only as a retry', async () => {
    const stale = { exchange: lost('connection_stale'), tookMs: 1 };
    const { mint, sent, events } = start(Array<Step>(5).fill(stale), 0);
    expect((await finish(mint)).summary).toBe('UPSTREAM_UNAVAILABLE (upstream_unreachable)');
    expect(sent.map(({ request }) => request.freshConnection)).toEqual([false, true]);
    expect(events).toEqual(['connection_stale', 'connection_stale']);
  });

  it('answers 504 when the time ends during a wait, and 503 when it ends after refusals', async () => {
    const hanging = start(Array(5).fill({ exchange: lost('timed_out'), tookMs: 10_000 }));
    const late = await finish(hanging.mint);
    expect(late.summary).toBe('UPSTREAM_TIMEOUT (upstream_timeout)');
    expect(late.ms).toBeLessThanOrEqual(deadlineMs + 100);
    expect(hanging.sent.map(({ request }) => request.timeoutMs > 0)).toEqual([true, true, true]);

    const refusing = start(Array(5).fill({ exchange: answered(503, 'busy', '6'), tookMs: 2900 }));
    const refused = await finish(refusing.mint);
    expect(refused.summary).toBe('UPSTREAM_UNAVAILABLE (upstream_error)');
    expect(refused.detail?.retryAfterSeconds).toBeGreaterThanOrEqual(1);
  });

  it('counts a time-out as an outage only if the upstream had enough time', async () => {
    const urgent = start(
      [
        { exchange: answered(429, ''), tookMs: 2900 },
        { exchange: answered(429, '', '1'), tookMs: 2900 },
        { exchange: lost('timed_out'), tookMs: 10_000 },
      ],
      2,
      1,
    );
    expect((await finish(urgent.mint)).summary).toBe('UPSTREAM_TIMEOUT (upstream_timeout)');
    expect(urgent.sent[2]?.request.timeoutMs).toBeLessThan(timeoutMs / 2);
    expect(urgent.circuitState()).toBe('closed');

    const patient = start([{ exchange: lost('timed_out'), tookMs: 10_000 }], 0, 1);
    await finish(patient.mint);
    expect(patient.circuitState()).toBe('open');
  });

  it('does not count a probe that was not sent: the next call is the probe', async () => {
    const { mint, events, circuitState } = start(
      [
        { exchange: lost('unreachable'), tookMs: 1 },
        { exchange: { kind: 'closed' }, tookMs: 1 },
      ],
      0,
      1,
    );
    await finish(mint);
    expect(circuitState()).toBe('open');
    await vi.advanceTimersByTimeAsync(1000);
    expect((await finish(mint)).summary).toBe('SHUTTING_DOWN (shutting_down)');
    expect(circuitState()).toBe('half_open');
    expect((await finish(mint)).summary).toBe(token);
    expect(circuitState()).toBe('closed');
    expect(events).toEqual(['unreachable', 'token']);
  });

  it('uses a new connection after a failed call, and a kept one after a response', async () => {
    const { mint, sent } = start(
      [
        { exchange: lost('unreachable'), tookMs: 1 },
        { exchange: answered(503, ''), tookMs: 1 },
      ],
      3,
    );
    await finish(mint);
    expect(sent.map(({ request }) => request.freshConnection)).toEqual([false, true, false]);
  });

  it('never returns a token of another user, and rests connections longer after one', async () => {
    const { mint, sent, events } = start([]);
    expect((await finish(mint, 'ada')).summary).toBe(token);
    const refused = await finish(mint, 'bob');
    expect(refused.summary).toBe('UPSTREAM_INVALID_RESPONSE (upstream_token_repeated)');
    expect(events).toEqual(['token', 'distrust', 'token_repeated']);
    expect(sent).toHaveLength(2);
    expect((await finish(mint, 'ada')).summary).toBe(token);
  });

  it('calls again over a new connection when a used connection returned a token of another user', async () => {
    const own = '3f2504e0-4f89-41d3-9a0c-0305e82c3302';
    const used = { ...answered(200, { token }), overUsedConnection: true };
    const { mint, sent, events } = start([
      { exchange: answered(200, { token }), tookMs: 1 },
      { exchange: used, tookMs: 1 },
      { exchange: answered(200, { token: own }), tookMs: 1 },
    ]);
    await finish(mint, 'ada');
    expect((await finish(mint, 'bob')).summary).toBe(own);
    expect(events).toEqual(['token', 'distrust', 'answer_misplaced', 'retry', 'token']);
    expect(sent[2]?.request.freshConnection).toBe(true);
  });

  it('sends a renewal at once or not at all, and only once', async () => {
    const failing = start([{ exchange: answered(503, ''), tookMs: 1 }]);
    expect((await finish(failing.mint, 'acme', 'renewal')).summary).toBe('UPSTREAM_UNAVAILABLE (upstream_error)');
    expect(failing.sent).toHaveLength(1);

    const busy = start([{ exchange: answered(429, '', '3'), tookMs: 1 }], 0);
    await finish(busy.mint);
    const { summary, detail } = await finish(busy.mint, 'acme', 'renewal');
    expect(summary).toBe('UPSTREAM_UNAVAILABLE (queue_full)');
    expect(detail?.retryAfterSeconds).toBe(3);
    expect(busy.sent).toHaveLength(1);
  });

  it('uses the new key at once when the old one is refused', async () => {
    const { mint, sent, events } = start([{ exchange: answered(401, { error: 'Unauthorized' }), tookMs: 1 }], 0);
    expect((await finish(mint)).summary).toBe(token);
    expect(sent.map(({ request }) => request.apiKey.reveal())).toEqual(['key-0', 'key-1']);
    expect(events).toEqual(['key_refused', 'token']);
  });

  it('ends in time, with few calls, with a token or an upstream error, whatever the upstream does', async () => {
    const step: fc.Arbitrary<Step> = fc.record({
      tookMs: fc.integer({ min: 0, max: 4000 }),
      exchange: fc.oneof(
        fc.constantFrom(
          lost('unreachable'),
          lost('connection_stale'),
          lost('answer_malformed'),
          lost('answer_cut_off'),
          lost('answer_too_large'),
          answered(200, { token }),
          answered(401, { error: { code: 'AUTHENTICATION_ERROR' } }),
          answered(400, { error: { code: 'CLIENT_ID_ERROR' } }),
          answered(500, 'broken'),
        ),
        fc
          .record({
            status: fc.constantFrom(429, 502, 503, 504),
            retryAfter: fc.option(fc.constantFrom('0', '1', '4', '60', '315360000', 'junk'), { nil: undefined }),
          })
          .map(({ status, retryAfter }) => answered(status, 'busy', retryAfter)),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.integer({ min: 0, max: 4 }), async (steps, maxRetries) => {
        const { mint, sent, events } = start(steps, maxRetries);
        const { summary, ms } = await finish(mint);
        expect(summary === token || /^UPSTREAM_/.test(summary)).toBe(true);
        expect(ms).toBeLessThanOrEqual(deadlineMs + 100);
        // One more call for a stale connection, and one more for a changed key.
        expect(sent.length).toBeLessThanOrEqual(1 + maxRetries + 2);
        expect(events.filter((line) => line === 'retry').length).toBeLessThanOrEqual(maxRetries);
        expect(events.filter((line) => line === 'key_refused').length).toBeLessThanOrEqual(2);
        for (const { request } of sent) expect(request.timeoutMs).toBeLessThanOrEqual(timeoutMs);
      }),
      { numRuns: 100 },
    );
  });
});
