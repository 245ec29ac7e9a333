// Each event of the stages: its metric and its log line.
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';
import {
  countFromZero,
  observeExport,
  observeIssue,
  observeKeySets,
  observeRedis,
  observeRefusedTokens,
  observeSecretReload,
  observeSecretStores,
  observeUpstream,
} from '../../../src/telemetry/observers.ts';

type Line = Readonly<Record<string, unknown>>;

let metrics: Metrics;
let written: string;
const createLogger = (level = 'info') =>
  createLog({
    level,
    clock: systemClock,
    sink: {
      write: (text, done) => {
        written += text;
        done();
      },
    },
  });
let log: ReturnType<typeof createLogger>;
beforeEach(() => {
  metrics = createMetrics();
  written = '';
  log = createLogger();
});

/** The log lines since the last call of this function, without time and message. */
async function lines(): Promise<readonly Line[]> {
  await log.flush(1_000);
  const all = written.split('\n').filter((line) => line !== '');
  written = '';
  return all.map((line) => {
    const { time, message, ...rest } = JSON.parse(line) as Line;
    expect([typeof time, typeof message]).toEqual(['string', 'string']);
    return rest;
  });
}
async function metric(name: string): Promise<number | undefined> {
  const { text } = await metrics.expose();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}

describe('calls to Databrain', () => {
  it('are counted and timed, and only failures are logged', async () => {
    const { callEnded } = observeUpstream(metrics, log.logger);
    callEnded({ result: 'token', durationMs: 500 });
    expect(await lines()).toEqual([]);
    callEnded({ result: 'overloaded', durationMs: 1_500.00049, errorCode: 'ECONNRESET' });
    expect(await lines()).toEqual([
      { level: 'warn', result: 'overloaded', durationMs: 1_500, errorCode: 'ECONNRESET' },
    ]);
    expect(await metric('guest_token_upstream_calls_total{result="token"}')).toBe(1);
    expect(await metric('guest_token_upstream_calls_total{result="overloaded"}')).toBe(1);
    expect(await metric('guest_token_upstream_call_duration_seconds_sum')).toBeCloseTo(2, 3);
  });

  it('that are repeated, slowed down or answered twice are reported', async () => {
    const { retry, slowedDown, unexpectedResponse } = observeUpstream(metrics, log.logger);
    retry('overloaded');
    slowedDown(2, 'DATABRAIN_API_KEY');
    unexpectedResponse();
    expect(await metric('guest_token_upstream_retries_total')).toBe(1);
    expect(await lines()).toEqual([
      { level: 'warn', callsPerSecond: 2, setting: 'DATABRAIN_API_KEY' },
      { level: 'warn' },
    ]);
  });

  it.each([
    ['closed', 0],
    ['half_open', 0.5],
    ['open', 1],
  ] as const)('set the gauge of the circuit to the worst state: %s', async (worst, value) => {
    const { circuit } = observeUpstream(metrics, log.logger);
    circuit('closed', 'DATABRAIN_API_KEY', worst);
    expect(await metric('guest_token_circuit_open')).toBe(value);
    expect(await lines()).toEqual([{ level: 'warn', state: 'closed', setting: 'DATABRAIN_API_KEY' }]);
  });

  it('with a key that Databrain refuses are logged as an error and counted by setting', async () => {
    countFromZero(metrics, { apiKeys: ['DATABRAIN_API_KEY'], secrets: [], storedSecrets: [] });
    expect(await metric('guest_token_upstream_key_refused_total{setting="DATABRAIN_API_KEY"}')).toBe(0);
    observeUpstream(metrics, log.logger).keyRefused('DATABRAIN_API_KEY');
    expect(await metric('guest_token_upstream_key_refused_total{setting="DATABRAIN_API_KEY"}')).toBe(1);
    expect(await lines()).toEqual([{ level: 'error', setting: 'DATABRAIN_API_KEY' }]);
  });
});

it('reuse is counted, and a failed renewal is logged', async () => {
  const { onReuse, onRenewal } = observeIssue(metrics, log.logger);
  onReuse('hit');
  onRenewal('renewed');
  expect(await lines()).toEqual([]);
  onRenewal('failed');
  expect(await lines()).toEqual([{ level: 'info' }]);
  for (const result of ['hit', 'renewed', 'failed']) {
    expect(await metric(`guest_token_reuse_total{result="${result}"}`)).toBe(1);
  }
});

describe('exported traces', () => {
  it('are counted, and logged when they fail and when they succeed again', async () => {
    const onExport = observeExport(metrics, log.logger);
    onExport(3);
    expect(await lines()).toEqual([]);
    onExport(2, 'ECONNREFUSED');
    onExport(2, 'ETIMEDOUT');
    expect(await lines()).toEqual([{ level: 'warn', errorCode: 'ECONNREFUSED' }]);
    onExport(1);
    onExport(1);
    expect(await lines()).toEqual([{ level: 'info' }]);
    expect(await metric('guest_token_spans_total{result="exported"}')).toBe(5);
    expect(await metric('guest_token_spans_total{result="failed"}')).toBe(4);
  });
});

describe('key sets', () => {
  const iss = 'https://issuer.example';
  const fetched = { iss, keys: 2, leftOut: [], changed: false, recovered: false, durationMs: 1.23456 };
  const left = (count: number, isBad: boolean) =>
    Array.from({ length: count }, (_, index) => ({ which: `key ${index + 1}`, why: 'is for encryption', isBad }));

  it('that changed or are available again are logged; others are only counted', async () => {
    const { fetched: onFetched } = observeKeySets(metrics, log.logger);
    onFetched(fetched);
    expect(await lines()).toEqual([]);
    onFetched({ ...fetched, changed: true });
    onFetched({ ...fetched, recovered: true });
    const line = { level: 'info', iss, keys: 2, durationMs: 1.235 };
    expect(await lines()).toEqual([line, line]);
    expect(await metric(`guest_token_key_set_fetches_total{issuer="${iss}",result="fetched"}`)).toBe(3);
  });

  it('log ignored keys, as a warning if one is dangerous', async () => {
    const { fetched: onFetched } = observeKeySets(metrics, log.logger);
    onFetched({ ...fetched, changed: true, leftOut: left(1, false) });
    onFetched({ ...fetched, changed: true, leftOut: [...left(1, false), ...left(1, true)] });
    const [first, second] = await lines();
    expect(first).toMatchObject({ level: 'info', leftOut: ['key 1 is for encryption'] });
    expect(second).toMatchObject({ level: 'warn' });
  });

  it.each([
    [20, 20, 'key 20 is for encryption'],
    [21, 21, 'and 1 more'],
    [100, 21, 'and 80 more'],
  ])('with %i ignored keys log %i entries', async (count, shown, last) => {
    observeKeySets(metrics, log.logger).fetched({ ...fetched, changed: true, leftOut: left(count, false) });
    const leftOut = (await lines())[0]?.['leftOut'] as readonly string[];
    expect([leftOut.length, leftOut.at(-1)]).toEqual([shown, last]);
  });

  it('that could not be fetched are logged once for each reason', async () => {
    const { failed } = observeKeySets(metrics, log.logger);
    const event = {
      iss,
      failure: 'timeout',
      detail: { fix: 'Try again' },
      durationMs: 5_000,
      keysInUse: true,
      repeated: false,
    } as const;
    failed(event);
    failed({ ...event, repeated: true });
    expect(await lines()).toEqual([
      { level: 'warn', iss, failure: 'timeout', fix: 'Try again', durationMs: 5_000, keysInUse: true },
    ]);
    expect(await metric(`guest_token_key_set_fetches_total{issuer="${iss}",result="timeout"}`)).toBe(2);
    failed({ ...event, detail: { fix: 'Try again', leftOut: left(1, true) } });
    expect(await lines()).toMatchObject([{ leftOut: ['key 1 is for encryption'] }]);
  });
});

describe('a refused access token', () => {
  const refusal = { refused: true, code: 'INVALID_TOKEN', reason: 'claim_invalid' } as const;
  const refuse = async (part: object, level = 'debug'): Promise<readonly Line[]> => {
    log = createLogger(level);
    observeRefusedTokens(log.logger)({ ...refusal, ...part }, 'request-1');
    return lines();
  };

  it('is explained at the level debug only', async () => {
    expect(await refuse({}, 'info')).toEqual([]);
    expect(await refuse({})).toEqual([{ level: 'debug', requestId: 'request-1', reason: 'claim_invalid' }]);
  });

  it.each([
    [{ claim: 'iss', received: 'x', isSigned: false }, 'x'],
    [{ received: 'x' }, 'x'],
    [{ claim: 'aud', received: 'x', isSigned: true }, 'x'],
    [{ claim: 'aud', received: 'x', isSigned: false }, undefined],
    [{ claim: 'aud', received: 'x' }, undefined],
    [{ claim: 'iss' }, undefined],
  ])('shows the issuer, and a claim only after a valid signature: %j', async (part, shown) => {
    expect((await refuse({ ...part, expected: 'y' }))[0]).toMatchObject({ expected: 'y' });
    expect((await refuse(part))[0]?.['received']).toBe(shown);
  });
});

it('the gauge of Redis has its state, and each change and new cause is logged', async () => {
  const { onRedisState, onRedisCause } = observeRedis(metrics, log.logger);
  expect(await metric('guest_token_redis_up')).toBe(0);
  onRedisState('up', 'connected');
  expect(await metric('guest_token_redis_up')).toBe(1);
  onRedisState('down', 'timeout');
  expect(await metric('guest_token_redis_up')).toBe(0);
  onRedisCause('WRONGPASS');
  expect(await lines()).toEqual([
    { level: 'info', cause: 'connected' },
    { level: 'warn', cause: 'timeout' },
    { level: 'warn', cause: 'WRONGPASS' },
  ]);
  expect(await metric('guest_token_redis_transitions_total{state="up"}')).toBe(1);
  expect(await metric('guest_token_redis_transitions_total{state="down"}')).toBe(1);
});

describe('secrets', () => {
  const setting = 'DATABRAIN_API_KEY';
  const reloads = (result: string) =>
    metric(`guest_token_secret_reloads_total{setting="${setting}",result="${result}"}`);
  const readable = () => metric(`guest_token_secret_readable{setting="${setting}"}`);

  it('start with counters at 0 and stores as readable', async () => {
    countFromZero(metrics, { apiKeys: [], secrets: [setting], storedSecrets: [] });
    expect([await reloads('changed'), await reloads('failed'), await readable()]).toEqual([0, 0, undefined]);
    countFromZero(metrics, { apiKeys: [], secrets: [setting], storedSecrets: [setting] });
    expect(await readable()).toBe(1);
  });

  it('in a file are logged and counted when they change or are refused', async () => {
    const onReload = observeSecretReload(metrics, log.logger);
    onReload(setting, { kind: 'changed' });
    onReload(setting, { kind: 'failed', problem: 'is empty' });
    expect(await lines()).toEqual([
      { level: 'info', setting },
      { level: 'error', setting, problem: 'is empty' },
    ]);
    expect([await reloads('changed'), await reloads('failed'), await readable()]).toEqual([1, 1, undefined]);
  });

  it('in a store set a gauge for whether they can be read', async () => {
    const onReload = observeSecretReload(metrics, log.logger);
    onReload(setting, { kind: 'unreadable', problem: 'permission denied' }, 'Vault');
    expect(await readable()).toBe(0);
    onReload(setting, { kind: 'restored' }, 'Vault');
    expect(await readable()).toBe(1);
    expect(await lines()).toEqual([
      { level: 'error', setting, store: 'Vault', problem: 'permission denied' },
      { level: 'info', setting, store: 'Vault' },
    ]);
    expect([await reloads('changed'), await reloads('failed')]).toEqual([undefined, undefined]);
    onReload(setting, { kind: 'changed' }, 'Vault');
    onReload(setting, { kind: 'failed', problem: 'is empty' }, 'Vault');
    expect(await lines()).toMatchObject([{ level: 'info' }, { level: 'error', problem: 'is empty' }]);
    expect([await reloads('changed'), await reloads('failed'), await readable()]).toEqual([1, 1, 1]);
  });

  it('count the logins to their store', async () => {
    const onEvent = observeSecretStores(metrics, log.logger);
    onEvent({ kind: 'login', store: 'Vault', result: 'ok' });
    onEvent({ kind: 'login', store: 'Vault', result: 'failed', problem: 'permission denied' });
    onEvent({ kind: 'credential_expires', store: 'Vault', inSeconds: 60 });
    expect(await lines()).toEqual([
      { level: 'info', store: 'Vault' },
      { level: 'warn', store: 'Vault', problem: 'permission denied' },
      { level: 'warn', store: 'Vault', inSeconds: 60 },
    ]);
    expect(await metric('guest_token_secret_store_logins_total{store="Vault",result="ok"}')).toBe(1);
    expect(await metric('guest_token_secret_store_logins_total{store="Vault",result="failed"}')).toBe(1);
  });
});
