// Spans as a collector receives them. test/e2e/tracing.test.ts traces the program.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TracingSettings } from '../../../src/telemetry/tracing.ts';
import { ServiceError } from '../../../src/errors.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import {
  createTracing,
  type IncomingRequest,
  traceMint,
  traceStore,
  type Tracing,
} from '../../../src/telemetry/tracing.ts';
import { startOtlpCollector, type CollectedSpan, type OtlpCollector } from '../../support/servers/otlp-collector.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const sampled = `00-${traceId}-00f067aa0ba902b7-01`;
const unsampled = `00-${traceId}-00f067aa0ba902b7-00`;
const request: IncomingRequest = {
  method: 'POST',
  route: '/guest-token',
  requestId: 'r-1',
  traceparent: undefined,
  tracestate: undefined,
  isTrusted: false,
};

let collector: OtlpCollector;
let exported: (readonly [number, string | undefined])[];
beforeEach(async () => {
  collector = await startOtlpCollector();
  exported = [];
});
afterEach(() => collector.close());

const start = (settings: Partial<TracingSettings> = {}): Promise<Tracing> =>
  createTracing({
    settings: {
      url: `${collector.url}/v1/traces`,
      headers: { 'x-key': new Secret('of-the-collector') },
      timeoutMs: 1_000,
      sampler: { kind: 'always_on', ratio: 1, parentBased: false },
      serviceName: 'proxy',
      resourceAttributes: { 'deployment.environment.name': 'test', 'service.name': 'not this one' },
      batch: { delayMs: 60_000, exportTimeoutMs: 1_000, maxQueueSize: 100, maxBatchSize: 100 },
      ...settings,
    },
    onExport: (spans, errorCode) => exported.push([spans, errorCode]),
  });

/** The spans that the collector received, by name. */
async function spansAfter(tracing: Tracing): Promise<Readonly<Record<string, CollectedSpan>>> {
  await tracing.close();
  return Object.fromEntries(collector.spans.map((span) => [span.name, span]));
}

describe('a traced request', () => {
  it('is a server span with one child for each step, and no other spans', async () => {
    const tracing = await start();
    const trace = tracing.begin(request);
    expect(trace.step('verify', () => 7)).toBe(7);
    trace.within(() => tracing.step('mint', () => tracing.step('store', () => undefined)));
    tracing.step('decide', () => undefined);
    trace.end('ISSUED', 200);
    const { request: root, verify, mint, store, decide } = await spansAfter(tracing);
    expect(root).toMatchObject({
      traceId: trace.traceId,
      kind: 2,
      status: 0,
      links: [],
      parentSpanId: undefined,
      resource: { 'service.name': 'proxy', 'deployment.environment.name': 'test' },
    });
    expect(root?.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/guest-token',
      'guest_token.request_id': 'r-1',
      'guest_token.outcome': 'ISSUED',
      'http.response.status_code': 200,
    });
    expect([verify?.parentSpanId, verify?.kind]).toEqual([root?.spanId, 1]);
    expect([mint?.parentSpanId, mint?.kind]).toEqual([root?.spanId, 3]);
    expect([store?.parentSpanId, store?.kind]).toEqual([mint?.spanId, 3]);
    expect(decide).toBeUndefined();
    expect(exported).toEqual([[4, undefined]]);
    expect(collector.requests[0]?.headers['x-key']).toBe('of-the-collector');
  });

  it('ends each step when its promise settles', async () => {
    const tracing = await start();
    const trace = tracing.begin(request);
    let resolve = (): void => undefined;
    const step = trace.step('mint', () => new Promise<void>((done) => (resolve = done)));
    trace.end('ISSUED', 200);
    await new Promise((done) => setTimeout(done, 5));
    resolve();
    await step;
    const { request: root, mint } = await spansAfter(tracing);
    expect(Number(mint?.endNanoseconds)).toBeGreaterThan(Number(root?.endNanoseconds));
  });

  it.each([
    [500, 2],
    [504, 2],
    [499, 0],
    [403, 0],
  ])('with status %i has the span status %i', async (status, expected) => {
    const tracing = await start();
    tracing.begin(request).end('ACCESS_DENIED', status);
    expect((await spansAfter(tracing))['request']?.status).toBe(expected);
  });

  it.each([
    [new ServiceError('ACCESS_DENIED', 'validation_refused'), { 'guest_token.outcome': 'ACCESS_DENIED' }, 0],
    [new ServiceError('UPSTREAM_TIMEOUT', 'upstream_timeout'), { 'guest_token.outcome': 'UPSTREAM_TIMEOUT' }, 2],
    [new TypeError('a secret'), { 'error.type': 'TypeError' }, 2],
    ['a secret', { 'error.type': 'string' }, 2],
  ])('records only the code or type of an exception in a step: %s', async (thrown, attributes, status) => {
    const tracing = await start();
    const trace = tracing.begin(request);
    expect(() =>
      trace.step('decide', () => {
        throw thrown as Error;
      }),
    ).toThrow();
    await expect(trace.step('mint', () => Promise.reject(thrown as Error))).rejects.toBe(thrown);
    const { decide, mint } = await spansAfter(tracing);
    for (const span of [decide, mint]) expect([span?.attributes, span?.status]).toEqual([attributes, status]);
    expect(collector.requests.map(({ text }) => text).join('')).not.toContain('a secret');
  });
});

describe('the trace of a caller', () => {
  it('is continued when a trusted proxy sends it', async () => {
    const tracing = await start();
    const trace = tracing.begin({ ...request, traceparent: sampled, tracestate: 'vendor=1', isTrusted: true });
    trace.within(() => expect(tracing.traceparent()).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`)));
    trace.end('ISSUED', 200);
    const root = (await spansAfter(tracing))['request'];
    expect(root).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b7', links: [] });
    expect(collector.requests[0]?.text).toContain('vendor=1');
  });

  it('is only linked when another caller sends it', async () => {
    const tracing = await start();
    const trace = tracing.begin({ ...request, traceparent: sampled, tracestate: 'vendor=1' });
    expect(trace.traceId).not.toBe(traceId);
    trace.end('ISSUED', 200);
    const root = (await spansAfter(tracing))['request'];
    expect(root?.parentSpanId).toBeUndefined();
    expect(root?.links).toMatchObject([{ traceId, spanId: '00f067aa0ba902b7' }]);
    expect(collector.requests[0]?.text).not.toContain('vendor=1');
  });

  it.each(['', 'nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, [sampled, sampled]])(
    'is ignored if it is invalid: %j',
    async (traceparent) => {
      const tracing = await start();
      tracing.begin({ ...request, traceparent, isTrusted: true }).end('ISSUED', 200);
      const root = (await spansAfter(tracing))['request'];
      expect([root?.parentSpanId, root?.links]).toEqual([undefined, []]);
      expect(root?.traceId).not.toBe(traceId);
    },
  );

  it.each([
    [true, unsampled, 0],
    [true, sampled, 1],
    [false, unsampled, 1],
  ])('is sampled by the setting: parent based %s with %s', async (parentBased, traceparent, count) => {
    const tracing = await start({ sampler: { kind: 'always_on', ratio: 1, parentBased } });
    tracing.begin({ ...request, traceparent, isTrusted: true }).end('ISSUED', 200);
    await tracing.close();
    expect(collector.spans).toHaveLength(count);
  });
});

describe('a request that is not sampled', () => {
  it.each([
    ['always_off', 1],
    ['traceidratio', 0],
  ] as const)('runs normally, passes its context on and is not exported: %s', async (kind, ratio) => {
    const tracing = await start({ sampler: { kind, ratio, parentBased: false } });
    const trace = tracing.begin(request);
    const header = trace.step('mint', () => tracing.traceparent());
    expect(header).toMatch(new RegExp(`^00-${trace.traceId}-[0-9a-f]{16}-00$`));
    trace.end('ISSUED', 200);
    await tracing.close();
    expect(collector.requests).toEqual([]);
  });

  it('has no header outside of a request', async () => {
    const tracing = await start();
    expect(tracing.traceparent()).toBeUndefined();
    expect(tracing.step('mint', () => tracing.traceparent())).toBeUndefined();
    await tracing.close();
  });
});

describe('a collector that fails', () => {
  it('is reported with its status', async () => {
    collector.answer(400);
    const tracing = await start();
    tracing.begin(request).end('ISSUED', 200);
    await tracing.close();
    expect(exported).toEqual([[1, '400']]);
  });

  it('that is unavailable is reported with the error code of the connection', async () => {
    const tracing = await start({ url: 'http://127.0.0.1:1/v1/traces' });
    tracing.begin(request).end('ISSUED', 200);
    await tracing.close();
    expect(exported).toEqual([[1, expect.stringMatching(/^(ECONNREFUSED|unknown error)$/)]]);
  });
});

it('the traced steps of issuing keep their arguments and results', async () => {
  const names: string[] = [];
  const step = <T>(name: string, run: () => T): T => {
    names.push(name);
    return run();
  };
  const echo = (...args: readonly unknown[]) => Promise.resolve(args);
  const mint = traceMint(echo as never, step);
  const store = traceStore({ get: echo, getAnyway: echo, put: echo, lock: echo, isUp: true } as never, step);
  expect(await mint('grant' as never, 'first' as never)).toEqual(['grant', 'first']);
  for (const name of ['get', 'getAnyway', 'put', 'lock'] as const) {
    expect(await (store as unknown as Record<typeof name, typeof echo>)[name](name, 2)).toEqual([name, 2]);
  }
  expect(names).toEqual(['mint', 'store', 'store', 'store', 'store']);
  expect(store).toMatchObject({ isUp: true });
});
