// Two replicas of the built program behind real gateways with the documented configurations, at 200 requests a second:
// no request fails in restarts, crashes, lost Redis, reloads and rotations. The long form, with numbers:
// bench/lifecycle.ts.
import { describe, expect, it } from 'vitest';
import { isInstalled } from '../../bench/lifecycle/fronts.ts';
import { runScenario, scenarios, type ScenarioName } from '../../bench/lifecycle/scenarios.ts';
import { redisIsInstalled, redisReason } from '../support/servers/redis-server.ts';
import { programPath } from '../support/programs/program-path.ts';
import { needs } from '../support/vitest/needs.ts';

const fronts = { haproxy: isInstalled('haproxy'), nginx: isInstalled('nginx') };

const withoutFailures: readonly (readonly [ScenarioName, string])[] = [
  ['rollingHaproxy', 'a rolling restart behind HAProxy'],
  ['rollingNginx', 'a rolling restart behind nginx'],
  ['killReplica', 'a replica killed behind HAProxy'],
  ['failover', 'a Redis failover by Sentinel'],
  ['rotateWithGrace', 'a rotation of the API key with a grace period'],
];

describe.skipIf(!redisIsInstalled)(`under 200 requests a second${redisReason}`, () => {
  for (const [name, title] of withoutFailures) {
    const { front } = scenarios[name];
    const isReady = fronts[front];
    it.skipIf(!isReady)(
      `${title} causes no failed request${needs(isReady, front)}`,
      async () => {
        const program = programPath();
        const { load } = await runScenario(name, { program, requestsPerSecond: 200, settleMs: 500, drainSeconds: 2 });
        expect(Object.fromEntries(load.failures)).toEqual({});
        expect(load.sent).toBeGreaterThan(150);
      },
      120_000,
    );
  }
});
