// npm run bench: compares the cost of a request in this service and in others, in one run. Measures CPU seconds of the
// server per 10,000 requests. The server runs on one core, load and upstream on the other. Rounds alternate between the
// servers; the result is the median. Each server must first show that it answers correctly. This is not a test.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProgram } from '../build.ts';
import { selfSigned } from '../test/support/self-signed.ts';
import { contestants, ours, type Circumstances, type Contestant, type Running } from './compare/contestants.ts';
import { startLoad, type Load } from './compare/load.ts';
import { paths, type MeasuredPath } from './compare/paths.ts';
import { proveCorrect } from './compare/prove-correct.ts';
import { createSigningKeys, signTokens, type SigningKeys } from './compare/signing-keys.ts';

const help = `Usage: npm run bench -- [options]

Compares this service with HAProxy, an empty Fastify route, the same plugins put together by hand, and Express.

  --rounds N    alternated rounds per path, 1 to 50 (default 5)
  --path TEXT   only paths whose names contain this text
  --without A,B leaves out the servers whose names begin with A or B
  --write       writes the table to bench/RESULTS.md
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    path: { type: 'string', default: '' },
    without: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false, short: 'h' },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) {
  console.error(`bench: --rounds must be a whole number from 1 to 50. Try --help.`);
  process.exit(2);
}
const measuredPaths = paths.filter(({ name }) => name.includes(values.path));
if (measuredPaths.length === 0) {
  console.error(
    `bench: no path has a name with "${values.path}". The paths:\n  ${paths.map(({ name }) => name).join('\n  ')}`,
  );
  process.exit(2);
}

const unwanted = values.without?.split(',') ?? [];

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const tokenCache = new Map<string, readonly string[]>();

function tokensOf({ algorithm, users, tokens }: MeasuredPath, keys: SigningKeys): readonly string[] {
  const key = `${algorithm} ${users}`;
  const good = tokenCache.get(key) ?? signTokens(keys, algorithm, users);
  tokenCache.set(key, good);
  if (tokens === 'good') return good;
  return good.map((token, index) => {
    const other = good[(index + 1) % good.length] ?? '';
    return token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'));
  });
}

interface Measured {
  readonly cpuPer10k: number;
  readonly rssMiB: number;
  readonly upstreamCalls: number;
  readonly upstreamConnections: number;
  readonly p99Ms: number;
}

async function measure(
  running: Running,
  path: MeasuredPath,
  keys: SigningKeys,
  load: Load,
  known: boolean,
): Promise<Measured> {
  const tokens = tokensOf(path, keys);
  const common = { port: running.port, tokens, connections: path.connections };
  if (!known && path.warmUp(path.users).length > 0) {
    await load.run({ ...common, order: path.warmUp(path.users), provesUser: false });
  }
  const order = path.order(path.users);
  const before = running.cpuNs();
  const result = await load.run({ ...common, order, provesUser: false });
  const cpu = (running.cpuNs() - before) / 1e9;
  return {
    cpuPer10k: (cpu / order.length) * 10_000,
    rssMiB: running.rssMiB(),
    upstreamCalls: result.upstreamCalls,
    upstreamConnections: result.upstreamConnections,
    p99Ms: result.p99Ms,
  };
}

type Shared = Omit<Circumstances, 'algorithm' | 'reuse'> & { readonly caFile: string };

async function measurePath(path: MeasuredPath, present: readonly Contestant[], shared: Shared, load: Load) {
  const far = path.farUpstream === true ? { upstreamUrl: load.tlsUpstreamUrl, extraCa: shared.caFile } : {};
  const circumstances = { ...shared, ...far, algorithm: path.algorithm, reuse: path.reuse };
  const results = new Map<string, Measured[]>(present.map(({ name }) => [name, []]));
  const kept = new Map<string, Running>();
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of present) {
      const running = kept.get(contestant.name) ?? (await contestant.start(circumstances));
      results.get(contestant.name)?.push(await measure(running, path, shared.keys, load, kept.has(contestant.name)));
      if (path.freshProcess === true) await running.stop();
      else kept.set(contestant.name, running);
    }
  }
  for (const running of kept.values()) await running.stop();
  return results;
}

/** CPU time from start to the first answer of /readyz, and resident memory at that time, without other requests. */
async function measureStarts(present: readonly Contestant[], shared: Shared) {
  const rows: string[] = [];
  for (const { name, start } of present) {
    const cpu: number[] = [];
    const rss: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const running = await start({ ...shared, algorithm: 'RS256', reuse: true });
      cpu.push(running.cpuNs() / 1e9);
      rss.push(running.rssMiB());
      await running.stop();
    }
    rows.push(`| ${name} | ${median(cpu).toFixed(2)} s | ${median(rss).toFixed(0)} MiB |`);
  }
  return ['', '| start to ready | CPU | resident memory, idle |', '| --- | --- | --- |', ...rows];
}

const folder = mkdtempSync(join(tmpdir(), 'guest-token-compare-'));
await buildProgram('dist/main.js');
const load = await startLoad();
try {
  const keys = createSigningKeys();
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, selfSigned.cert);
  const shared = { keys, folder, caFile, upstreamUrl: load.upstreamUrl };
  const present = contestants.filter((contestant) => {
    const isUnwanted = unwanted.some((name) => contestant.name.startsWith(name));
    const reason = isUnwanted ? 'excluded by an argument' : contestant.missing();
    if (reason !== undefined) console.log(`${contestant.name} is left out: ${reason}`);
    return reason === undefined;
  });
  for (const contestant of present) await proveCorrect(contestant, shared, load);
  console.log(`All ${present.length} servers answer correctly. ${rounds} rounds per path.\n`);

  const names = present.map(({ name }) => name);
  const lines = [
    `| CPU s per 10,000 requests | ${names.join(' | ')} | ours ÷ HAProxy | ours ÷ empty | ours ÷ plain | RSS, ours | upstream calls, ours | upstream connections, ours | p99 ${names.join(' / ')} |`,
    `| --- |${' --- |'.repeat(names.length + 7)}`,
  ];
  console.log(lines.join('\n'));
  for (const path of measuredPaths) {
    const results = await measurePath(path, present, shared, load);
    const cpuOf = (name: string): number => median((results.get(name) ?? []).map(({ cpuPer10k }) => cpuPer10k));
    const ratio = (name: string): string => (names.includes(name) ? `${(cpuOf(ours) / cpuOf(name)).toFixed(2)} ×` : '');
    const p99Of = (name: string): string => median((results.get(name) ?? []).map(({ p99Ms }) => p99Ms)).toFixed(0);
    const own = results.get(ours) ?? [];
    const line = `| ${path.name} | ${names.map((name) => cpuOf(name).toFixed(3)).join(' | ')} | ${ratio('HAProxy')} | ${ratio('empty Fastify')} | ${ratio('plain Fastify')} | ${median(own.map(({ rssMiB }) => rssMiB)).toFixed(0)} MiB | ${median(own.map(({ upstreamCalls }) => upstreamCalls))} | ${Math.max(...own.map(({ upstreamConnections }) => upstreamConnections))} | ${names.map(p99Of).join(' / ')} ms |`;
    console.log(line);
    lines.push(line);
    if (path.upstreamCalls !== undefined && own.some(({ upstreamCalls }) => upstreamCalls !== path.upstreamCalls)) {
      throw new Error(`${path.name}: the upstream was not called exactly ${path.upstreamCalls} times`);
    }
  }
  const starts = await measureStarts(present, shared);
  console.log(starts.join('\n'));
  lines.push(...starts);
  if (values.write) writeFileSync('bench/RESULTS.md', resultsPage(lines));
} finally {
  load.stop();
  rmSync(folder, { recursive: true, force: true });
}

function resultsPage(lines: readonly string[]): string {
  const [cpu] = cpus();
  const memory = /MemTotal:\s*(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? '0';
  return `# The last full run of \`npm run bench\`

${new Date().toISOString().slice(0, 10)}, Node.js ${process.versions.node}, ${cpus().length} cores of ${cpu?.model ?? 'an unknown kind'}, ${Math.round(Number(memory) / 2 ** 20)} GiB.
Server on one core, load and upstream on the other; ${rounds} alternated rounds, medians; logs on; each contestant proved correct first.
Absolute figures belong to this machine; the ratios carry over.

${lines.join('\n')}
`;
}
