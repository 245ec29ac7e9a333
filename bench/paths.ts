// What a request costs beside an empty Fastify route and one of the same plugins, in one run on one machine: the repeat
// path (token reused), the first path (one upstream call), and /livez while invalid tokens flood in. Figures are ratios;
// nothing here is a test.
// Usage: node bench/paths.ts [seconds per figure, default 4]
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { randomBytes, randomUUID } from 'node:crypto';
import { createSigner } from 'fast-jwt';
import { Pool } from 'undici';
import { emptyRoute, handWrittenRoute } from './baselines.ts';

const seconds = Number(process.argv[2] ?? 4);
const connections = 16;
const secret = randomBytes(48).toString('base64url');
const folder = mkdtempSync(join(tmpdir(), 'guest-token-bench-'));
const children: ChildProcess[] = [];

const policy = `version: 1
dataApps:
  sales-dashboard:
    default: true
    expiresIn: 1h
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
        appFilters:
          - metricId: revenue
            values: { country: "\${claims.countries}" }
`;

const sign = createSigner({ key: secret, algorithm: 'HS256' });
const now = Math.floor(Date.now() / 1000);
const tokenOf = (sub: string): string =>
  sign({
    iss: 'https://bench.example',
    aud: 'bench',
    sub,
    org_id: 'acme',
    countries: ['DE'],
    iat: now,
    exp: now + 3600,
  });

function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<{ port: number }> {
  const child = spawn(process.execPath, args, { cwd: process.cwd(), env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = '';
    child.on('exit', (code) => reject(new Error(`ended with ${code}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      if (text.length > 65_536) return;
      text += chunk.toString('utf8');
      const line = text.split('\n').find((one) => one.includes('"listening"'));
      if (line?.endsWith('}')) resolve(JSON.parse(line) as { port: number });
    });
  });
}

interface Load {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly statuses: ReadonlyMap<number, number>;
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Sends requests one after another on each connection for the time of one figure. */
async function load(port: number, headersOf: () => Record<string, string>, count = connections): Promise<Load> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: count, pipelining: 1 });
  const times: number[] = [];
  const statuses = new Map<number, number>();
  const end = performance.now() + seconds * 1000;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (performance.now() < end) {
        const sent = performance.now();
        const { statusCode, body } = await pool.request({ method: 'POST', path: '/guest-token', headers: headersOf() });
        await body.dump();
        times.push(performance.now() - sent);
        statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
      }
    }),
  );
  const elapsed = (performance.now() - began) / 1000;
  await pool.close();
  times.sort((a, b) => a - b);
  return { perSecond: times.length / elapsed, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), statuses };
}

/** Asks /livez every few milliseconds, in a thread of its own so that the load made here does not delay the clock. */
const prober = `
const { parentPort, workerData } = require('node:worker_threads');
const { get, Agent } = require('node:http');
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const times = [];
const ask = () => new Promise((resolve, reject) => {
  get({ host: '127.0.0.1', port: workerData, path: '/livez', agent }, (response) => response.resume().on('end', resolve)).on('error', reject);
});
let running = true;
parentPort.once('message', () => { running = false; });
(async () => {
  while (running) {
    const sent = performance.now();
    await ask();
    times.push(performance.now() - sent);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  parentPort.postMessage(times);
})();
`;

async function livezDuring(port: number, work: Promise<unknown>): Promise<{ p99Ms: number; asked: number }> {
  const worker = new Worker(prober, { eval: true, workerData: port });
  await work;
  const answered = once(worker, 'message') as Promise<[number[]]>;
  worker.postMessage('stop');
  const [times] = await answered;
  await worker.terminate();
  times.sort((a, b) => a - b);
  return { p99Ms: percentile(times, 0.99), asked: times.length };
}

const upstream = createServer((request, response) => {
  request.resume().on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ token: randomUUID() }));
  });
});
await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
writeFileSync(join(folder, 'policy.yaml'), policy);

const env = {
  HOST: '127.0.0.1',
  PORT: '0',
  ADMIN_PORT: '0',
  JWT_ISSUER: 'https://bench.example',
  JWT_AUDIENCE: 'bench',
  JWT_SECRET: secret,
  DATABRAIN_API_URL: upstreamUrl,
  DATABRAIN_API_KEY: randomUUID(),
  POLICY_FILE: join(folder, 'policy.yaml'),
  RATE_LIMIT_USER_MAX: '1000000',
  RATE_LIMIT_ADDRESS_MAX: '10000000',
};

const report = (name: string, { perSecond, p50Ms, p99Ms, statuses }: Load, base: Load): void => {
  const ratio = (base.perSecond / perSecond).toFixed(2);
  const seen = [...statuses].map(([status, count]) => `${status}×${count}`).join(' ');
  console.log(
    `${name.padEnd(40)} ${perSecond.toFixed(0).padStart(7)}/s  p50 ${p50Ms.toFixed(2)} ms  p99 ${p99Ms.toFixed(2)} ms  ${ratio}× the empty route  (${seen})`,
  );
};

try {
  const empty = await start(['--input-type=module', '-e', emptyRoute], {});
  const byHand = await start(['--input-type=module', '-e', handWrittenRoute], { JWT_SECRET: secret });
  const reusing = await start(['src/main.ts', 'serve'], env);
  const minting = await start(['src/main.ts', 'serve'], { ...env, TOKEN_REUSE: 'off' });
  const one = { authorization: `Bearer ${tokenOf('user-1')}` };
  const users = Array.from({ length: 500 }, (_, index) => ({ authorization: `Bearer ${tokenOf(`user-${index}`)}` }));
  let turn = 0;
  const nextUser = () => users[(turn += 1) % users.length] ?? one;

  for (const { port } of [empty, byHand, reusing, minting]) await load(port, nextUser);
  const base = await load(empty.port, () => one);
  report('empty Fastify route', base, base);
  report('the same plugins, put together by hand', await load(byHand.port, () => one), base);
  report('repeat path, one user', await load(reusing.port, () => one), base);
  report('repeat path, 500 users', await load(reusing.port, nextUser), base);
  report('first path, upstream in this process', await load(minting.port, nextUser), base);
  report('empty Fastify route, again', await load(empty.port, () => one), base);

  let forged = 0;
  const good = tokenOf('user-1');
  const flood = load(
    reusing.port,
    () => ({ authorization: `Bearer ${good.slice(0, -8)}${String((forged += 1)).padStart(8, 'A')}` }),
    64,
  );
  const livez = await livezDuring(reusing.port, flood);
  report('flood of forged tokens, 64 connections', await flood, base);
  console.log(`/livez during that flood: p99 ${livez.p99Ms.toFixed(1)} ms over ${livez.asked} probes`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  upstream.close();
  upstream.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}
