// Redirects, which calls are retried, and every kind of `Retry-After`.
import { afterEach, describe, expect, it } from 'vitest';
import {
  httpResponse,
  errorResponse,
  startFaultyUpstream,
  tokenResponse,
  uuidOf,
  type Script,
} from '../support/servers/faulty-upstream.ts';
import {
  apiKeyText,
  createPairs,
  allOutput,
  outcomeOf,
  mintOnce,
  startClient,
} from '../support/servers/faulty-upstream-client.ts';

const unlimitedRate = { minPerSecond: 1000, assumedPerSecond: 1000, doublingMs: 1000, maxPauseMs: 5000 };

const { start, close } = createPairs({ timeoutMs: 1000, deadlineMs: 1500, limits: { rate: unlimitedRate } });
afterEach(close);

/** Sends the given answers in turn, then tokens. */
const inTurn =
  (...responses: readonly Buffer[]): Script =>
  (request, socket) =>
    void socket.write(responses[request.index] ?? tokenResponse(request.index));

describe('redirects', () => {
  it.each([300, 301, 302, 303, 304, 307, 308])(
    'are not followed for %i: neither the key nor anything else arrives there',
    async (status) => {
      const elsewhere = await startFaultyUpstream((_request, socket) => void socket.write(tokenResponse(1)));
      const { upstream, client } = await start(
        inTurn(
          httpResponse(status, status === 304 ? '' : 'moved', {
            location: `${elsewhere.baseUrl}/api/v2/guest-token/create`,
          }),
        ),
      );
      const settled = await mintOnce(client);
      await elsewhere.close();
      expect(outcomeOf(settled)).toBe('UPSTREAM_INVALID_RESPONSE upstream_redirect');
      expect(elsewhere.connections()).toBe(0);
      expect(upstream.seen).toHaveLength(1);
      // As a whole number, because a duration may contain the same digits.
      expect(allOutput(client, settled)).not.toMatch(new RegExp(`(?<![\\d.])${elsewhere.port}(?!\\d)`));
    },
  );

  it('are not followed to another path of the same host', async () => {
    const { upstream, client } = await start(
      inTurn(httpResponse(307, JSON.stringify({ token: uuidOf(9) }), { location: '/api/v2/guest-token/create' })),
    );
    expect(outcomeOf(await mintOnce(client))).toBe('UPSTREAM_INVALID_RESPONSE upstream_redirect');
    expect(upstream.seen).toHaveLength(1);
  });
});

describe('retries', () => {
  it.each([400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 426, 431, 451])(
    'are never sent after %i',
    async (status) => {
      const { upstream, client } = await start(inTurn(httpResponse(status, 'no')));
      expect(outcomeOf(await mintOnce(client))).toMatch(/^UPSTREAM_REJECTED /);
      expect(upstream.seen).toHaveLength(1);
      expect(client.circuitState()).toBe('closed');
    },
  );

  it.each([500, 501, 505, 507, 520, 599])('are never sent after %i, which is answered with 503', async (status) => {
    const { upstream, client } = await start(inTurn(httpResponse(status, 'broken')));
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_UNAVAILABLE upstream_error');
    expect('error' in settled && settled.error.detail.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(upstream.seen).toHaveLength(1);
  });

  it.each([429, 502, 503, 504])('are sent after %i, at most DATABRAIN_MAX_RETRIES times', async (status) => {
    const { upstream, client } = await start((_request, socket) => void socket.write(httpResponse(status, 'busy')));
    const settled = await mintOnce(client);
    expect('error' in settled && settled.error.code).toBe('UPSTREAM_UNAVAILABLE');
    expect('error' in settled && settled.error.detail.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(upstream.seen).toHaveLength(3);
    expect(client.events.filter((line) => line.startsWith('retry'))).toHaveLength(2);
  });

  it.each([429, 502, 503, 504])('return the token that arrives after %i twice', async (status) => {
    const { upstream, client } = await start(inTurn(httpResponse(status, 'busy'), httpResponse(status, 'busy')));
    expect(outcomeOf(await mintOnce(client))).toBe(uuidOf(2));
    expect(new Set(upstream.seen.map(({ body }) => body)).size).toBe(1);
    expect(new Set(upstream.seen.map(({ headers }) => headers.get('authorization')))).toEqual(
      new Set([`Bearer ${apiKeyText}`]),
    );
  });

  it('are not sent if DATABRAIN_MAX_RETRIES is 0', async () => {
    const { upstream, client } = await start(inTurn(httpResponse(503)), { maxRetries: 0 });
    expect(outcomeOf(await mintOnce(client))).toBe('UPSTREAM_UNAVAILABLE upstream_error');
    expect(upstream.seen).toHaveLength(1);
  });

  it('depend on the status, even if a 503 has the vendor’s error format', async () => {
    const { client } = await start(inTurn(errorResponse(503, 'INTERNAL_SERVER_ERROR')));
    expect(outcomeOf(await mintOnce(client))).toBe(uuidOf(1));
  });

  it('wait longer before each attempt', async () => {
    const times: number[] = [];
    const { client } = await start(
      (_request, socket) => {
        times.push(performance.now());
        socket.write(httpResponse(503));
      },
      { random: () => 0.999, limits: { backoffMs: 100 } },
    );
    await mintOnce(client);
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThan(95);
    expect(third - second).toBeGreaterThan(195);
  });

  it('never add more than a fifth of the calls during an outage of an upstream that answers some calls', async () => {
    const { upstream, client } = await start(
      (request, socket) =>
        void socket.write(request.index % 2 === 0 ? httpResponse(503) : tokenResponse(request.index)),
      {
        limits: {
          retryReserve: 4,
          circuit: {
            consecutiveFailures: 1000,
            failureShare: 2,
            minimumCalls: 1,
            windowMs: 1000,
            openMs: 10,
            maxOpenMs: 10,
          },
        },
      },
    );
    const calls = 100;
    for (let i = 0; i < calls; i += 1) await mintOnce(client);
    expect(upstream.seen.length).toBeGreaterThan(calls * 1.15);
    expect(upstream.seen.length).toBeLessThanOrEqual(calls * 1.2 + 4);
  });
});

describe('Retry-After', () => {
  const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();
  const limitedOnce = (retryAfter: string, options: Parameters<typeof startClient>[1] = {}) =>
    start(inTurn(httpResponse(429, 'slow down', { 'retry-after': retryAfter })), options);

  it.each<[string, () => string]>([
    ['one second', () => '1'],
    // HTTP dates have whole seconds: two seconds ahead are between one and two.
    ['a date shortly ahead', () => inSeconds(2)],
  ])('is respected with %s, and then the user gets the token', async (_what, retryAfter) => {
    const { upstream, client } = await limitedOnce(retryAfter(), { deadlineMs: 4000 });
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe(uuidOf(1));
    expect(settled.ms).toBeGreaterThan(900);
    expect(settled.ms).toBeLessThan(2600);
    expect(upstream.seen).toHaveLength(2);
  });

  it.each<[string, () => string]>([
    ['zero', () => '0'],
    ['a date in the past', () => 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['an obsolete date in the past', () => 'Sunday, 06-Nov-94 08:49:37 GMT'],
    ['a negative number', () => '-5'],
    ['a fraction', () => '1.5'],
    ['words', () => 'in a while'],
    ['nothing', () => ''],
    ['infinity', () => 'Infinity'],
    ['hexadecimal', () => '0xfffff'],
    ['an impossible date', () => 'Sun, 99 Foo 2099 99:99:99 GMT'],
  ])('is ignored with %s, and the call is repeated after the usual time', async (_what, retryAfter) => {
    const { client } = await limitedOnce(retryAfter());
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe(uuidOf(1));
    expect(settled.ms).toBeLessThan(600);
  });

  it.each<[string, () => string, number]>([
    ['half a minute', () => '30', 30],
    ['ten years in seconds', () => '315360000', 120],
    ['ten years as a date', () => inSeconds(315_360_000), 120],
    ['a number with four hundred digits', () => '9'.repeat(400), 120],
    ['a date beyond the deadline', () => inSeconds(60), 60],
  ])('causes 503 at once with %s, with a limited Retry-After for the caller', async (_what, retryAfter, seconds) => {
    const { upstream, client } = await limitedOnce(retryAfter());
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_UNAVAILABLE upstream_rate_limited');
    expect(settled.ms).toBeLessThan(400);
    expect('error' in settled && settled.error.detail.retryAfterSeconds).toBeGreaterThanOrEqual(seconds - 1);
    expect('error' in settled && settled.error.detail.retryAfterSeconds).toBeLessThanOrEqual(seconds);
    expect(upstream.seen).toHaveLength(1);
  });

  it('is ignored if the header is repeated', async () => {
    const { client } = await start(
      inTurn(Buffer.from('HTTP/1.1 429 X\r\nretry-after: 60\r\nretry-after: 61\r\ncontent-length: 0\r\n\r\n')),
    );
    expect(outcomeOf(await mintOnce(client))).toBe(uuidOf(1));
  });

  it('delays every other call too, so that a 429 slows down the whole service', async () => {
    const times: number[] = [];
    const { client } = await start(
      (request, socket) => {
        times.push(performance.now());
        socket.write(
          request.index === 0 ? httpResponse(429, '', { 'retry-after': '1' }) : tokenResponse(request.index),
        );
      },
      {
        deadlineMs: 5000,
        limits: { rate: { minPerSecond: 5, assumedPerSecond: 20, doublingMs: 8000, maxPauseMs: 5000 } },
      },
    );
    await mintOnce(client, 'first');
    await Promise.all(Array.from({ length: 5 }, (_, i) => mintOnce(client, `other-${i}`)));
    const [limited = 0, ...later] = times;
    expect(later).toHaveLength(6);
    expect((later[0] ?? 0) - limited).toBeGreaterThan(950);
    // Ten per second: half of the rate that was assumed to be too fast.
    for (let i = 1; i < later.length; i += 1) expect((later[i] ?? 0) - (later[i - 1] ?? 0)).toBeGreaterThan(60);
    expect(client.events).toContain('slowed down');
  });

  it('causes early 503 answers with Retry-After for calls that cannot be sent in time', async () => {
    const { upstream, client } = await start(inTurn(httpResponse(429, '')), {
      maxRetries: 0,
      deadlineMs: 1000,
      limits: { rate: { minPerSecond: 2, assumedPerSecond: 4, doublingMs: 1e9, maxPauseMs: 1000 } },
    });
    await mintOnce(client, 'first');
    const settled = await Promise.all(Array.from({ length: 20 }, (_, i) => mintOnce(client, `other-${i}`)));
    const refused = settled.filter((one) => 'error' in one);
    expect(refused.length).toBeGreaterThan(15);
    for (const one of refused) {
      expect(outcomeOf(one)).toBe('UPSTREAM_UNAVAILABLE queue_full');
      expect(one.ms).toBeLessThan(300);
      expect(one.error.detail.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    }
    expect(upstream.seen.length).toBeLessThan(5);
  });

  it('causes the refusal of waiting calls as soon as they can no longer be sent in time', async () => {
    const { upstream, client } = await start(
      (_request, socket) => void setTimeout(() => socket.write(httpResponse(429, '', { 'retry-after': '60' })), 100),
      { maxRetries: 0, deadlineMs: 3000, limits: { maxConcurrent: 1 } },
    );
    const settled = await Promise.all(Array.from({ length: 5 }, (_, i) => mintOnce(client, `user-${i}`)));
    expect(settled.map(outcomeOf)).toEqual([
      'UPSTREAM_UNAVAILABLE upstream_rate_limited',
      ...Array<string>(4).fill('UPSTREAM_UNAVAILABLE queue_full'),
    ]);
    for (const one of settled) expect(one.ms).toBeLessThan(700);
    expect(upstream.seen).toHaveLength(1);
  });
});
