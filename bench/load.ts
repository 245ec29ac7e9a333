// Checks what docs/redis.md says: half an hour of mixed traffic, thirty times as fast, on two replicas of the real
// service with Redis. The upstream fails for 5 % of the calls, has a rate limit, and is down for ten seconds; Redis
// freezes. `npm exec -- node bench/load.ts [--seconds N] [--users N] [--rate N]`; exits with 1 if a check fails.
import { parseArgs } from 'node:util';
import { onStage, type Stage } from './load/stage.ts';
import { runTraffic } from './load/traffic.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '50' },
    users: { type: 'string' },
    rate: { type: 'string', default: '200' },
  },
});
const seconds = Number(values.seconds);
/** A third of them at the start, and eight more every second. */
const users = Number(values.users ?? seconds * 12);

/** Databrain's self-hosted default of 500 in two minutes, compressed like the traffic. */
const limit = { max: 500, windowMs: 4_000 };
const outageSeconds = Math.min(10, seconds / 4);
const freezeSeconds = Math.min(3, seconds / 10);
/** The time in which a replica that lost Redis uses it again. */
const recoverySeconds = 3;
/** The factor by which the heap after garbage collection may grow between the first third and the end. */
const memoryGrowth = 1.15;
const results = ['hit', 'shared', 'joined', 'spare', 'minted', 'renewed', 'failed'];

async function play({ replicas, databrain, redis, jwtSecret, sum }: Stage) {
  const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
  const memory = async (): Promise<number> =>
    megabytes((await Promise.all(replicas.map(({ heapBytes }) => heapBytes()))).reduce((all, one) => all + one, 0));
  const timers: NodeJS.Timeout[] = [];
  const at = (second: number, act: () => void): void => void timers.push(setTimeout(act, second * 1000));
  let canShare = redis !== undefined;
  const memoryMb = { start: await memory(), third: NaN, end: NaN };

  at(seconds / 3, () => void memory().then((kept) => (memoryMb.third = kept)));
  at(seconds * 0.4, () => databrain.setOut(true));
  at(seconds * 0.4 + outageSeconds, () => databrain.setOut(false));
  at(seconds * 0.75, () => {
    canShare = false;
    redis?.freeze();
  });
  at(seconds * 0.75 + freezeSeconds, () => redis?.thaw());
  at(seconds * 0.75 + freezeSeconds + recoverySeconds, () => (canShare = redis !== undefined));
  try {
    const outcomes = await runTraffic({
      urls: replicas.map(({ url }) => url),
      jwtSecret,
      users,
      requestsPerSecond: Number(values.rate),
      seconds,
      random: Math.random,
      canShare: () => canShare,
    });
    memoryMb.end = await memory();
    const reuse: string[] = [];
    for (const result of results) {
      reuse.push(`${result} ${await sum('guest_token_reuse_total', `result="${result}"`)}`);
    }
    const residentMb = megabytes(await sum('process_resident_memory_bytes'));
    const redisChanges = await sum('guest_token_redis_transitions_total');
    return { outcomes, databrain, memoryMb, residentMb, reuse, redisChanges, hasRedis: redis !== undefined };
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

const { outcomes, databrain, memoryMb, residentMb, reuse, redisChanges, hasRedis } = await onStage(limit, play);

const latencies = outcomes.latenciesMs.sort((a, b) => a - b);
const percentile = (share: number): string =>
  `${(latencies[Math.floor((latencies.length - 1) * share)] ?? NaN).toFixed(1)} ms`;
const issued = outcomes.statuses.get(200) ?? 0;
const peak = databrain.peak();
const statuses = [...outcomes.statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
const redisText = hasRedis
  ? `frozen for ${freezeSeconds} s, ${redisChanges} changes of state were logged`
  : 'not installed: nothing was shared';

console.log(`
Traffic          ${latencies.length} requests in ${seconds} s by ${users} users on 2 replicas
Answers          ${statuses.join(', ')}
Broken promises  ${outcomes.brokenPromises.length} errors to users whose token could be reused
Upstream         ${databrain.calls.length} calls, ${databrain.tokens()} tokens, ${databrain.faults()} faults, ${databrain.limited()} answered 429, out for ${outageSeconds} s
Upstream limit   ${peak} calls at most in any ${limit.windowMs / 1000} s, ${limit.max} allowed
Reuse            ${((1 - outcomes.newTokens() / issued) * 100).toFixed(1)} % of answers were the token that the user had; ${reuse.join(', ')}
Redis            ${redisText}
Latency          p50 ${percentile(0.5)}, p95 ${percentile(0.95)}, p99 ${percentile(0.99)}, max ${percentile(1)}
Memory           ${memoryMb.start} MB at start, ${memoryMb.third} MB after a third, ${memoryMb.end} MB at the end kept on both heaps; ${residentMb} MB resident
`);

const broken = [
  outcomes.brokenPromises.length > 0 && `errors to users with a reusable token: ${outcomes.brokenPromises.join('; ')}`,
  outcomes.surprises.length > 0 && `unexpected: ${outcomes.surprises.slice(0, 3).join('; ')}`,
  peak > limit.max && 'the upstream was called more often than it allows',
  !(memoryMb.end <= memoryMb.third * memoryGrowth) && 'memory grew',
  issued === 0 && 'no token was issued',
].filter((text) => text !== false);
for (const text of broken) console.error(`FAILED: ${text}`);
process.exitCode = broken.length === 0 ? 0 : 1;
