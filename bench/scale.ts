// npm run bench:scale: measures how the cost of a request depends on connections, known users and replicas, and how
// much memory tokens take. One process on one core (two with Redis on the same core), load and upstream on the other.
// With --soak N: N requests of mixed traffic instead, with memory and latency after each tenth. This is not a test.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProgram } from '../build.ts';
import { redisIsInstalled, startRedisServer } from '../test/support/servers/redis-server.ts';
import { startOurs, type Running } from './compare/contestants.ts';
import type { LoadResult } from './compare/load-process.ts';
import { shuffled, startLoad } from './compare/load.ts';
import { createSigningKeys, signTokens } from './compare/signing-keys.ts';

const { values } = parseArgs({ options: { soak: { type: 'string' }, only: { type: 'string', default: '' } } });

const folder = mkdtempSync(join(tmpdir(), 'guest-token-scale-'));
await buildProgram('dist/main.js');
const load = await startLoad();
const keys = createSigningKeys();
// HMAC, because 100,000 signatures then take only a second, and signatures are not measured here.
const common = { algorithm: 'HS256', reuse: true, keys, folder, upstreamUrl: load.upstreamUrl } as const;
const tokens = signTokens(keys, 'HS256', 100_000);
const users = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i);

interface Measured extends LoadResult {
  readonly cpuMicroseconds: number;
}

async function measureLoad(
  running: readonly Running[],
  order: readonly number[],
  connections: number,
): Promise<Measured> {
  const [first] = running;
  if (first === undefined) throw new Error('nothing runs');
  const known = tokens.slice(0, maximum(order) + 1);
  const cpu = (): number => running.map(({ cpuNs }) => cpuNs()).reduce((a, b) => a + b, 0);
  const before = cpu();
  const result = await load.run({ port: first.port, tokens: known, order, connections, provesUser: false });
  if (result.statuses['200'] !== order.length) throw new Error(`answers: ${JSON.stringify(result.statuses)}`);
  return { ...result, cpuMicroseconds: (cpu() - before) / 1000 / order.length };
}

const maximum = (numbers: readonly number[]): number => numbers.reduce((a, b) => Math.max(a, b), 0);

const row = (name: string, result: Measured, requests: number, rest: string): void =>
  console.log(
    `| ${name} | ${result.cpuMicroseconds.toFixed(0)} µs | ${(requests / result.seconds).toFixed(0)} | ${result.p50Ms.toFixed(1)} ms | ${result.p99Ms.toFixed(1)} ms | ${rest} |`,
  );
const head = (title: string, last: string): void =>
  console.log(
    `\n| ${title} | CPU a request | requests a second | p50 | p99 | ${last} |\n| --- | --- | --- | --- | --- | --- |`,
  );

async function byConnections(): Promise<void> {
  head('connections, 1,000 users known', 'resident memory');
  const running = await startOurs(common);
  for (let turn = 0; turn < 3; turn += 1) await measureLoad([running], users(0, 1_000), 64);
  for (const connections of [1, 8, 64, 512]) {
    const order = shuffled(Array.from({ length: connections === 1 ? 5 : 20 }, () => users(0, 1_000)).flat());
    row(
      String(connections),
      await measureLoad([running], order, connections),
      order.length,
      `${running.rssMiB().toFixed(0)} MiB`,
    );
  }
  await running.stop();
}

async function byUsers(): Promise<void> {
  head('known users, 64 connections', 'resident memory');
  for (const count of [1_000, 10_000, 100_000]) {
    const running = await startOurs(common);
    for (let from = 0; from < count; from += 20_000)
      await measureLoad([running], users(from, Math.min(from + 20_000, count)), 64);
    const order = shuffled(users(0, count)).slice(0, 20_000);
    const twice = order.length < 20_000 ? Array.from({ length: 20_000 / order.length }, () => order).flat() : order;
    row(
      count.toLocaleString('en'),
      await measureLoad([running], twice, 64),
      twice.length,
      `${running.rssMiB().toFixed(0)} MiB`,
    );
    await running.stop();
  }
}

async function byReplicas(): Promise<void> {
  if (!redisIsInstalled) {
    console.log('\nReplicas are left out: redis-server is not installed.');
    return;
  }
  head('two replicas that share Redis', 'upstream calls');
  const redis = await startRedisServer();
  // Tokens belong to an API key, so both have the same one.
  const environment = { REDIS_URL: redis.url, DATABRAIN_API_KEY: randomUUID() };
  const one = await startOurs({ ...common, environment });
  const other = await startOurs({ ...common, environment });
  const everybody = users(0, 5_000);
  const print = (name: string, result: Measured): void =>
    row(name, result, everybody.length, String(result.upstreamCalls));
  print('first: a mint, stored for all', await measureLoad([one], everybody, 64));
  print('first on the other replica: a shared hit', await measureLoad([other], everybody, 64));
  print('again: a hit here, both limits counted in Redis', await measureLoad([other], everybody, 64));
  await Promise.all([one.stop(), other.stop()]);
  await redis.stop();
}

async function soak(requests: number): Promise<void> {
  console.log(`\n| requests | resident memory | p50 | p99 | CPU a request |\n| --- | --- | --- | --- | --- |`);
  const running = await startOurs(common);
  const tenth = Math.ceil(requests / 10);
  for (let turn = 1; turn <= 10; turn += 1) {
    // Nine of ten users are known; a tenth of each part is new.
    const order = shuffled(
      Array.from({ length: tenth }, (_, i) => (i % 10 === 0 ? 20_000 + turn * 5_000 + (i % 5_000) : i % 10_000)),
    );
    const result = await measureLoad([running], order, 32);
    console.log(
      `| ${(turn * tenth).toLocaleString('en')} | ${running.rssMiB().toFixed(0)} MiB | ${result.p50Ms.toFixed(1)} ms | ${result.p99Ms.toFixed(1)} ms | ${result.cpuMicroseconds.toFixed(0)} µs |`,
    );
  }
  await running.stop();
}

try {
  if (values.soak !== undefined) await soak(Number(values.soak));
  else {
    for (const part of [byConnections, byUsers, byReplicas]) if (part.name.includes(values.only)) await part();
  }
} finally {
  load.stop();
  rmSync(folder, { recursive: true, force: true });
}
