// Traces of the running program, as a collector receives them: the spans, their traces, and their attributes.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startOtlpCollector, type CollectedSpan, type OtlpCollector } from '../support/servers/otlp-collector.ts';
import { programPath } from '../support/programs/program-path.ts';
import { runProgram, startProgram, type ProgramResponse, type Program } from '../support/programs/program.ts';
import { redisIsInstalled, redisReason, startRedisServer } from '../support/servers/redis-server.ts';
import { signToken } from '../support/sign-token.ts';
import { until } from '../support/until.ts';
import { salesPolicy as policy } from '../support/sales-policy.ts';

const secret = 'tracing-signing-secret-of-enough-bytes-for-hs256';
const apiKey = '9b0a7f4e-54a5-4b0c-8a07-2b1c6a5f0e11';
const collectorKey = 'key-for-the-collector-that-nobody-sees';
const remoteTrace = '0af7651916cd43dd8448eb211c80319c';
const remoteSpan = 'b7ad6b7169203331';
const sampled = `00-${remoteTrace}-${remoteSpan}-01`;

let path: string;
let collector: OtlpCollector;
let program: Program | undefined;
/** Headers of the calls to Databrain. */
const calls: IncomingHttpHeaders[] = [];
let databrainStatus = 200;
const minted: string[] = [];
const databrain = createServer((request, response) => {
  calls.push(request.headers);
  request.resume();
  const token = randomUUID();
  minted.push(token);
  response.writeHead(databrainStatus, { 'content-type': 'application/json' }).end(JSON.stringify({ token }));
});

beforeAll(async () => {
  path = programPath();
  await new Promise<void>((resolve) => databrain.listen(0, '127.0.0.1', () => resolve()));
});
afterAll(() => {
  databrain.close();
});
beforeEach(async () => {
  collector = await startOtlpCollector();
  calls.length = minted.length = 0;
  databrainStatus = 200;
});
afterEach(async () => {
  await program?.kill();
  program = undefined;
  await collector.close();
});

const settings = (): Record<string, string> => ({
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'guest-token',
  JWT_SECRET: secret,
  DATABRAIN_API_URL: `http://127.0.0.1:${(databrain.address() as AddressInfo).port}`,
  DATABRAIN_API_KEY: apiKey,
  DATABRAIN_MAX_RETRIES: '0',
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${collectorKey}`,
  OTEL_BSP_SCHEDULE_DELAY: '50',
});

async function start(env: Record<string, string> = {}): Promise<Program> {
  program = await startProgram({ path, env: { ...settings(), ...env }, files: { 'policy.yaml': policy } });
  return program;
}

async function mint(running: Program, headers: Record<string, string> = {}, sub = 'user-1'): Promise<ProgramResponse> {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = { iss: 'https://issuer.example', aud: 'guest-token', sub, org_id: 'acme-corporation', exp };
  const token = signToken('HS256', secret, claims);
  return running.send({ headers: { authorization: `Bearer ${token}`, ...headers } });
}

const spanNamed = (name: string, among: readonly CollectedSpan[] = collector.spans): CollectedSpan => {
  const found = among.find((span) => span.name === name);
  if (found === undefined) throw new Error(`there is no span ${name}`);
  return found;
};
const requestSpans = (): readonly CollectedSpan[] => collector.spans.filter(({ name }) => name === 'request');
const auditLines = (running: Program) =>
  running.lines().filter(({ event }) => event?.startsWith('guest_token.') === true);

describe('a traced request', () => {
  it('has a span for itself and each step, with the request id, and Databrain gets the traceparent', async () => {
    const running = await start();
    const answer = await mint(running);
    expect(answer.status).toBe(200);
    await until(() => requestSpans().length === 1);
    const request = spanNamed('request');
    expect(request.kind).toBe(2);
    expect(request.parentSpanId).toBeUndefined();
    expect(request.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/guest-token',
      'guest_token.request_id': answer.headers['x-request-id'],
      'guest_token.outcome': 'ISSUED',
      'http.response.status_code': 200,
    });
    expect(request.resource).toMatchObject({ 'service.name': 'guest-token-proxy' });
    expect(collector.spans.map(({ name }) => name).sort()).toEqual(['decide', 'mint', 'request', 'verify']);
    // The library starts each span at a whole millisecond and adds its exact duration, so the ends do not compare.
    const durationOf = (span: CollectedSpan): bigint => span.endNanoseconds - span.startNanoseconds;
    for (const name of ['verify', 'decide', 'mint']) {
      const step = spanNamed(name);
      expect([step.traceId, step.parentSpanId]).toEqual([request.traceId, request.spanId]);
      expect(step.startNanoseconds >= request.startNanoseconds).toBe(true);
      expect(durationOf(step) > 0n && durationOf(step) <= durationOf(request)).toBe(true);
    }
    expect(calls.map((call) => call['traceparent'])).toEqual([`00-${request.traceId}-${spanNamed('mint').spanId}-01`]);
    expect(auditLines(running)).toMatchObject([
      { requestId: answer.headers['x-request-id'], trace_id: request.traceId },
    ]);
  });

  it('reveals no secret and no claim to the collector, the log or the metrics', async () => {
    const running = await start();
    await mint(running);
    await mint(running, { authorization: 'Bearer a.b.c' });
    await until(() => requestSpans().length === 2);
    expect(collector.requests[0]?.headers['x-collector-key']).toBe(collectorKey);
    const sent = collector.requests.map(({ text }) => text).join('\n');
    for (const part of [
      'user-1',
      'acme',
      'issuer.example',
      'sales-',
      apiKey,
      secret,
      collectorKey,
      'Bearer',
      ...minted,
    ]) {
      expect(sent).not.toContain(part);
    }
    const metrics = await running.send({ method: 'GET', path: '/metrics', port: running.adminPort });
    expect(running.output() + metrics.text).not.toContain(collectorKey);
    expect(metrics.text).toContain('guest_token_spans_total{result="exported"} ');
  });

  it('has its code as result if it is refused; only internal and upstream failures are errors', async () => {
    const running = await start();
    await mint(running, { authorization: 'Bearer a.b.c' });
    databrainStatus = 500;
    await mint(running);
    await until(() => requestSpans().length === 2);
    const [refused, failed] = requestSpans();
    expect([refused?.attributes['guest_token.outcome'], refused?.status]).toEqual(['INVALID_TOKEN', 0]);
    expect([failed?.attributes['guest_token.outcome'], failed?.status]).toEqual(['UPSTREAM_UNAVAILABLE', 2]);
    expect(spanNamed('mint')).toMatchObject({
      status: 2,
      attributes: { 'guest_token.outcome': 'UPSTREAM_UNAVAILABLE' },
    });
    expect(auditLines(running).map((line) => line['trace_id'])).toEqual([refused?.traceId, failed?.traceId]);
  });

  it.skipIf(!redisIsInstalled)(`has spans for the shared store${redisReason}`, async () => {
    const redis = await startRedisServer();
    try {
      const running = await start({ REDIS_URL: redis.url });
      await until(() => running.logged('redisInUse').length > 0);
      await mint(running);
      await until(
        () => requestSpans().length === 1 && collector.spans.filter(({ name }) => name === 'store').length >= 2,
      );
      const request = spanNamed('request');
      expect(collector.spans.every(({ traceId }) => traceId === request.traceId)).toBe(true);
    } finally {
      await running(program);
      await redis.stop();
    }
  });

  it('keeps simultaneous requests separate', async () => {
    const running = await start();
    await Promise.all(Array.from({ length: 20 }, (_, index) => mint(running, {}, `user-${index}`)));
    await until(() => requestSpans().length === 20 && collector.spans.length === 80);
    for (const request of requestSpans()) {
      const steps = collector.spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
      expect(steps.map(({ name }) => name).sort()).toEqual(['decide', 'mint', 'verify']);
      expect(steps.every(({ traceId }) => traceId === request.traceId)).toBe(true);
    }
    const announced = collector.spans.filter(({ name }) => name === 'mint').map(({ spanId }) => spanId);
    expect(calls.map((call) => String(call['traceparent']).split('-')[2]).sort()).toEqual([...announced].sort());
  });
});

/** Ends the program before its servers, so that neither waits for the other. */
async function running(started: Program | undefined): Promise<void> {
  await started?.kill();
}

describe('the trace of a caller', () => {
  it('is only linked, and its sampling decision is ignored', async () => {
    const service = await start({ OTEL_TRACES_SAMPLER: 'parentbased_always_on' });
    await mint(service, { traceparent: sampled.replace(/01$/, '00'), tracestate: 'vendor=secret' });
    await until(() => requestSpans().length === 1);
    const request = spanNamed('request');
    expect(request.traceId).not.toBe(remoteTrace);
    expect(request.links).toMatchObject([{ traceId: remoteTrace, spanId: remoteSpan }]);
    expect(collector.requests.map(({ text }) => text).join()).not.toContain('vendor=secret');
  });

  it('cannot cause more traces than the sampler allows', async () => {
    const service = await start({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' });
    await mint(service, { traceparent: sampled });
    await mint(service, { traceparent: sampled });
    expect(await service.stop()).toBe(0);
    expect(collector.requests).toEqual([]);
    expect(calls).not.toEqual([]);
    // Databrain gets a traceparent without the sampled flag.
    for (const call of calls) expect(call['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('is continued with the proxy’s decision if a trusted proxy sends it', async () => {
    const service = await start({ OTEL_TRACES_SAMPLER: 'parentbased_always_off', TRUST_PROXY: '127.0.0.1' });
    await mint(service, { traceparent: sampled });
    await mint(service, {}, 'user-2');
    await until(() => requestSpans().length === 1);
    expect(spanNamed('request')).toMatchObject({ traceId: remoteTrace, parentSpanId: remoteSpan, links: [] });
    expect(calls[0]?.['traceparent']).toBe(`00-${remoteTrace}-${spanNamed('mint').spanId}-01`);
    expect(auditLines(service)[0]?.['trace_id']).toBe(remoteTrace);
  });

  it('is ignored if it is invalid', async () => {
    const service = await start({ TRUST_PROXY: '127.0.0.1' });
    const wrong = [
      `${remoteTrace}-${remoteSpan}-01`,
      `00-${'0'.repeat(32)}-${remoteSpan}-01`,
      `${sampled}, ${sampled}`,
      'a'.repeat(8_000),
    ];
    for (const traceparent of wrong) expect((await mint(service, { traceparent })).status).toBe(200);
    await until(() => requestSpans().length === wrong.length);
    for (const { links, parentSpanId } of requestSpans()) expect([links, parentSpanId]).toEqual([[], undefined]);
  });
});

describe('tracing', () => {
  it('is sampled by the configured ratio', async () => {
    const service = await start({
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.3',
      RATE_LIMIT_USER_MAX: '1000',
    });
    for (let count = 0; count < 200; count += 1) await mint(service);
    await service.stop();
    expect(requestSpans().length).toBeGreaterThan(25);
    expect(requestSpans().length).toBeLessThan(100);
    expect(new Set(auditLines(service).map((line) => line['trace_id'])).size).toBe(200);
  });

  it('sends the remaining spans when the program stops', async () => {
    const service = await start({ OTEL_BSP_SCHEDULE_DELAY: '60000' });
    await mint(service);
    expect(collector.spans).toEqual([]);
    expect(await service.stop()).toBe(0);
    expect(requestSpans()).toHaveLength(1);
  });

  it('causes no failed request while the collector is unavailable, which is logged once, like the recovery', async () => {
    collector.answer(400);
    const service = await start();
    expect((await mint(service)).status).toBe(200);
    await until(() => service.logged('tracesNotExported').length === 1);
    expect((await mint(service, {}, 'user-2')).status).toBe(200);
    await until(() => collector.requests.length >= 2);
    collector.answer(200);
    expect((await mint(service, {}, 'user-3')).status).toBe(200);
    await until(() => service.logged('tracesExported').length === 1);
    expect(service.logged('tracesNotExported')).toHaveLength(1);
  });

  it('does not delay the exit of the program if the collector hangs', async () => {
    collector.answer('nothing');
    const service = await start({ OTEL_BSP_SCHEDULE_DELAY: '60000' });
    await mint(service);
    const began = performance.now();
    expect(await service.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('is disabled without an exporter, with the exporter none, and with a disabled SDK: no trace id, no header', async () => {
    for (const env of [
      { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
      { OTEL_TRACES_EXPORTER: 'none' },
      { OTEL_SDK_DISABLED: 'true' },
    ]) {
      calls.length = 0;
      const service = await start(env);
      await mint(service, { traceparent: sampled });
      await service.stop();
      expect(calls).toHaveLength(1);
      expect(calls[0]).not.toHaveProperty('traceparent');
      expect(auditLines(service)[0]).not.toHaveProperty('trace_id');
    }
    expect(collector.requests).toEqual([]);
  });

  it('stops the start if one of its settings is invalid', async () => {
    const env = { ...settings(), OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    const { exitCode, output } = await runProgram(path, ['check'], env);
    expect(output).toMatch(/^OTEL_EXPORTER_OTLP_PROTOCOL: .+\. .+\.$/m);
    expect(exitCode).toBe(78);
  });
});
