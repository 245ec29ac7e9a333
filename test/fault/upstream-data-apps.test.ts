// Failures of one data app do not affect others: each API key has its own call rate, circuit, queue and retries; only
// the limit per address is shared. And failures of one clientId do not affect its data app.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/secrets/secret.ts';
import {
  httpResponse,
  errorResponse,
  tokenResponse,
  uuidOf,
  type Script,
  type SeenRequest,
} from '../support/servers/faulty-upstream.ts';
import { createPairs, outcomeOf, mintOnce } from '../support/servers/faulty-upstream-client.ts';

const keys: Readonly<Record<string, Secret>> = {
  DATABRAIN_API_KEY_A: new Secret('aaaaaaaa-0000-4000-8000-00000000000a'),
  DATABRAIN_API_KEY_B: new Secret('bbbbbbbb-0000-4000-8000-00000000000b'),
};
const a = { apiKeyName: 'DATABRAIN_API_KEY_A' };
const b = { apiKeyName: 'DATABRAIN_API_KEY_B' };
const isOf = (app: 'a' | 'b', request: SeenRequest): boolean =>
  request.headers.get('authorization')?.startsWith(`Bearer ${app}`) === true;

const apiKeys = { get: (name: string) => keys[name], reload: () => Promise.resolve(false) };
const { start, close } = createPairs({ maxRetries: 0, timeoutMs: 2500, deadlineMs: 3000, apiKeys });
afterEach(close);
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const limitedResponse = httpResponse(429, 'Too many requests', { 'retry-after': '60' });

describe('a data app that is limited', () => {
  it('does not slow down other users', async () => {
    const { client } = await start((request, socket) => {
      socket.write(isOf('a', request) ? limitedResponse : tokenResponse(request.index));
    });
    const limited = await Promise.all(times(3, (i) => mintOnce(client, `a-${i}`, a)));
    expect(new Set(limited.map(outcomeOf))).toEqual(new Set(['UPSTREAM_UNAVAILABLE upstream_rate_limited']));
    const others = await Promise.all(times(60, (i) => mintOnce(client, `b-${i}`, b)));
    expect(others.filter((one) => 'error' in one)).toEqual([]);
    expect(outcomeOf(await mintOnce(client, 'a-4', a))).toBe('UPSTREAM_UNAVAILABLE queue_full');
  });

  it('slows down all users if the address is limited, which shows in a second data app', async () => {
    const { upstream, client } = await start((request, socket) => {
      socket.write(request.index < 2 ? limitedResponse : tokenResponse(request.index));
    });
    await mintOnce(client, 'a', a);
    await mintOnce(client, 'b', b);
    expect(upstream.seen).toHaveLength(2);
    const c = { apiKeyName: 'DATABRAIN_API_KEY_C' };
    expect(outcomeOf(await mintOnce(client, 'c', c))).toBe('INTERNAL_ERROR api_key_missing');
    for (const one of await Promise.all(times(5, (i) => mintOnce(client, `b-${i}`, b)))) {
      expect(outcomeOf(one)).toBe('UPSTREAM_UNAVAILABLE queue_full');
    }
    expect(client.events).toEqual(['slowed down', 'slowed down', 'slowed down']);
  });
});

const fiveFailuresOpen = {
  consecutiveFailures: 5,
  failureShare: 2,
  minimumCalls: 1000,
  windowMs: 10_000,
  openMs: 5000,
  maxOpenMs: 5000,
};

describe('a data app whose calls fail', () => {
  it.each<[string, Script]>([
    ['with 500', (_request, socket) => void socket.write(errorResponse(500, 'INTERNAL_SERVER_ERROR'))],
    ['with 503', (_request, socket) => void socket.write(httpResponse(503))],
    ['by time-outs', () => undefined],
  ])('opens only its own circuit: %s', async (_how, fail) => {
    const { client } = await start(
      (request, socket) => {
        if (isOf('a', request)) fail(request, socket);
        else socket.write(tokenResponse(request.index));
      },
      { timeoutMs: 500, limits: { circuit: fiveFailuresOpen } },
    );
    await Promise.all(times(5, (i) => mintOnce(client, `a-${i}`, a)));
    expect(outcomeOf(await mintOnce(client, 'a-new', a))).toBe('UPSTREAM_UNAVAILABLE circuit_open');
    expect(outcomeOf(await mintOnce(client, 'b', b))).toMatch(/^0{8}-/);
  });

  it('uses only its own retries', async () => {
    let callsOfB = 0;
    const { client } = await start(
      (request, socket) => {
        if (isOf('b', request)) callsOfB += 1;
        socket.write(callsOfB === 2 ? tokenResponse(request.index) : httpResponse(503));
      },
      { maxRetries: 2, limits: { retryReserve: 2, retryQuietMs: 1e9 } },
    );
    for (let i = 0; i < 4; i += 1) await mintOnce(client, `a-${i}`, a);
    expect(outcomeOf(await mintOnce(client, 'b', b))).toMatch(/^0{8}-/);
  });

  it('leaves places for other data apps while its calls hang', async () => {
    const { client } = await start(
      (request, socket) => {
        if (isOf('b', request)) socket.write(tokenResponse(request.index));
      },
      { timeoutMs: 1500, limits: { maxConcurrent: 8, maxConcurrentPerKey: 6 } },
    );
    await mintOnce(client, 'b-first', b);
    const hanging = times(20, (i) => mintOnce(client, `a-${i}`, a));
    await sleep(50);
    const settled = await mintOnce(client, 'b', b);
    expect(outcomeOf(settled)).toMatch(/^0{8}-/);
    expect(settled.ms).toBeLessThan(500);
    await Promise.all(hanging);
  });
});

describe('a clientId whose calls fail', () => {
  it.each<[string, Script]>([
    ['with 500', (_request, socket) => void socket.write(errorResponse(500, 'INTERNAL_SERVER_ERROR'))],
    ['with 504', (_request, socket) => void socket.write(httpResponse(504))],
    ['by broken answers', (_request, socket) => void socket.write('HTTP/1.1 banana\r\n\r\n')],
    ['by a reset', (_request, socket) => void socket.resetAndDestroy()],
    ['by time-outs', () => undefined],
  ])('has no effect on other clients: %s', async (_how, fail) => {
    const { upstream, client } = await start(
      (request, socket) => {
        if (request.body.includes('"clientId":"broken"')) fail(request, socket);
        else socket.write(tokenResponse(request.index));
      },
      { timeoutMs: 500, limits: { circuit: fiveFailuresOpen } },
    );
    await Promise.all(times(30, () => mintOnce(client, 'broken', a)));
    const seen = upstream.seen.length;
    expect(outcomeOf(await mintOnce(client, 'broken', a))).toBe('UPSTREAM_UNAVAILABLE circuit_open');
    expect(upstream.seen).toHaveLength(seen);
    const others = await Promise.all(times(10, (i) => mintOnce(client, `fine-${i}`, a)));
    expect(others.filter((one) => 'error' in one)).toEqual([]);
    expect(client.circuitState()).toBe('closed');
  });

  it('is called again when its circuit allows a probe', async () => {
    let broken = true;
    const { client } = await start(
      (request, socket) => void socket.write(broken ? httpResponse(500) : tokenResponse(request.index)),
      { limits: { circuit: { ...fiveFailuresOpen, openMs: 100 } } },
    );
    for (let i = 0; i < 5; i += 1) await mintOnce(client, 'only', a);
    expect(client.circuitState()).toBe('open');
    broken = false;
    await sleep(150);
    expect(outcomeOf(await mintOnce(client, 'only', a))).toBe(uuidOf(5));
    expect(client.circuitState()).toBe('closed');
  });
});
