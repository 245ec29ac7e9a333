// Events in a running deployment under load, and their cost: the rows of the table in docs/operating/lifecycle.md.
import { setTimeout as delay } from 'node:timers/promises';
import { policyWith, jwtSecret, startFleet, type Fleet } from './fleet.ts';
import { startFront, type FrontName } from './fronts.ts';
import { startLoad, type LoadResult } from './load.ts';
import { startOneRedis, startSentinelRedis, type RedisStage } from './redis-stage.ts';

export interface Scenario {
  readonly title: string;
  readonly front: FrontName;
  readonly redis: 'none' | 'one' | 'sentinel';
  /** Causes the event. `settle` waits while the load continues undisturbed. */
  readonly act: (stage: {
    readonly fleet: Fleet;
    readonly redis: RedisStage | undefined;
    readonly settle: () => Promise<void>;
  }) => Promise<void>;
}

export interface Cost {
  readonly load: LoadResult;
  /** Guest tokens beyond one for each user. */
  readonly extraTokens: number;
}

const rollingRestart: Scenario['act'] = async ({ fleet, settle }) => {
  for (const index of [0, 1] as const) {
    const exitCode = await fleet.restart(index);
    if (exitCode !== 0) throw new Error(`a replica ended with ${exitCode}`);
    await settle();
  }
};

export const scenarios = {
  undisturbed: { title: 'nothing happens', front: 'haproxy', redis: 'one', act: ({ settle }) => settle() },
  rollingHaproxy: { title: 'rolling restart behind HAProxy', front: 'haproxy', redis: 'one', act: rollingRestart },
  rollingNginx: { title: 'rolling restart behind nginx', front: 'nginx', redis: 'one', act: rollingRestart },
  rollingAlone: { title: 'rolling restart without Redis', front: 'haproxy', redis: 'none', act: rollingRestart },
  killReplica: {
    title: '`kill -9` of a replica, back after a while',
    front: 'haproxy',
    redis: 'one',
    act: async ({ fleet, settle }) => {
      fleet.replica(0).signal('SIGKILL');
      await fleet.replica(0).exited;
      await settle();
      await fleet.start(0);
    },
  },
  killReplicaNginx: {
    title: 'the same behind nginx',
    front: 'nginx',
    redis: 'one',
    act: async ({ fleet, settle }) => {
      fleet.replica(0).signal('SIGKILL');
      await fleet.replica(0).exited;
      await settle();
      await fleet.start(0);
    },
  },
  killRedis: {
    title: '`kill -9` of Redis, back empty after a while',
    front: 'haproxy',
    redis: 'one',
    act: async ({ redis, settle }) => {
      await redis?.master.kill();
      await settle();
      await redis?.master.restart();
    },
  },
  freezeRedis: {
    title: 'Redis frozen, connections open, thawed after a while',
    front: 'haproxy',
    redis: 'one',
    act: async ({ redis, settle }) => {
      redis?.master.freeze();
      await settle();
      redis?.master.thaw();
    },
  },
  failover: {
    title: 'Redis master killed, Sentinel promotes the replica',
    front: 'haproxy',
    redis: 'sentinel',
    act: async ({ redis, settle }) => {
      await redis?.master.kill();
      await settle();
    },
  },
  policyReload: {
    title: 'ten policy reloads, each with a new lifetime',
    front: 'haproxy',
    redis: 'one',
    act: async ({ fleet, settle }) => {
      for (let minutes = 30; minutes < 40; minutes += 1) {
        fleet.writeFile('policy.yaml', policyWith(`${minutes}m`));
        for (const index of [0, 1] as const) fleet.replica(index).signal('SIGHUP');
        await delay(300);
      }
      await settle();
    },
  },
  rotateWithGrace: {
    title: 'API key rotated at Databrain with a grace period, file replaced',
    front: 'haproxy',
    redis: 'one',
    act: async ({ fleet, settle }) => {
      fleet.writeFile('api-key', `${await fleet.rotateApiKey(60)}\n`);
      await settle();
    },
  },
  rotateAtOnce: {
    title: 'API key rotated without grace, file replaced a second later',
    front: 'haproxy',
    redis: 'one',
    act: async ({ fleet, settle }) => {
      const key = await fleet.rotateApiKey(0);
      await delay(1_000);
      fleet.writeFile('api-key', `${key}\n`);
      await settle();
    },
  },
} as const satisfies Readonly<Record<string, Scenario>>;

export type ScenarioName = keyof typeof scenarios;

interface RunOptions {
  /** Path of the built program. */
  readonly program: string;
  readonly requestsPerSecond: number;
  /** The duration of undisturbed load before the event, and of each `settle`. */
  readonly settleMs: number;
  readonly drainSeconds: number;
}

export async function runScenario(name: ScenarioName, options: RunOptions): Promise<Cost> {
  const scenario: Scenario = scenarios[name];
  const settle = (): Promise<void> => delay(options.settleMs);
  await using redis =
    scenario.redis === 'none' ? undefined : await (scenario.redis === 'one' ? startOneRedis() : startSentinelRedis());
  await using fleet = await startFleet({
    program: options.program,
    drainSeconds: options.drainSeconds,
    ...(redis && { redisUrl: redis.url }),
  });
  await using front = await startFront(scenario.front, fleet.ports);
  const load = startLoad({ url: front.url, requestsPerSecond: options.requestsPerSecond, jwtSecret });
  await settle();
  await scenario.act({ fleet, redis, settle });
  await settle();
  const result = await load.stop();
  const made = fleet.databrain.requests.filter(({ token }) => token !== undefined).length;
  return { load: result, extraTokens: made - result.users };
}
