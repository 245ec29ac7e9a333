// The dashboard and the alert rules in a real Prometheus that scrapes a real replica: every expression is valid, and
// the values are those of a healthy service.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { concrete } from '../../../bench/dashboard/expression.ts';
import { prometheusIsInstalled, startPrometheus, type Prometheus } from '../../../bench/dashboard/prometheus.ts';
import { jwtSecret, startFleet, type Fleet } from '../../../bench/lifecycle/fleet.ts';
import { startLoad, type Load } from '../../../bench/lifecycle/load.ts';
import { alertRules, panels, recordingRules } from '../../contract/metric-documents.ts';
import { redisIsInstalled, startRedisServer, type RedisServer } from '../../support/servers/redis-server.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { needs } from '../../support/vitest/needs.ts';

const canRun = prometheusIsInstalled && redisIsInstalled;
const reason = needs(canRun, 'prometheus', 'redis-server');

/** Panels without data in this run, because they need other settings or failures. */
const quiet = /^(Age|Downloads) of issuers’ keys|^Shadow policy|^Secrets in stores|^Refusals by reason/;

describe.skipIf(!canRun)(`in a real Prometheus${reason}`, () => {
  let redis: RedisServer;
  let fleet: Fleet;
  let prometheus: Prometheus;
  let load: Load;

  beforeAll(async () => {
    redis = await startRedisServer();
    fleet = await startFleet({ program: programPath(), redisUrl: redis.url });
    prometheus = await startPrometheus([fleet.replica(0).adminPort, fleet.replica(1).adminPort]);
    load = startLoad({ url: `http://127.0.0.1:${fleet.ports[0]}`, requestsPerSecond: 50, jwtSecret });
    const seen = 'sum(rate(guest_token_requests_total{code="ISSUED"}[5s])) > 0 and sum(guest_token_redis_up) == 2';
    while ((await prometheus.query(seen, 1)).length === 0) await delay(200);
  });
  afterAll(async () => {
    await load.stop();
    await prometheus[Symbol.asyncDispose]();
    await fleet[Symbol.asyncDispose]();
    await redis.stop();
  });

  it.each(panels.filter(({ targets }) => targets !== undefined).map((panel) => [panel.title, panel] as const))(
    'the panel %s has data',
    async (title, { targets = [] }) => {
      const responses = await Promise.all(targets.map(({ expr }) => prometheus.query(concrete(expr), 10)));
      if (!quiet.test(title)) expect(responses.flat().length).toBeGreaterThan(0);
    },
  );

  it('every rule is evaluated, and none fires for a healthy service', async () => {
    const rules = await prometheus.rules();
    expect(rules.map(({ name }) => name).sort()).toEqual(
      [...alertRules.map(({ alert }) => alert), ...recordingRules.map(({ record }) => record)].sort(),
    );
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([]);
  });

  it('shows Redis as in use, once for each replica', async () => {
    const series = await prometheus.query('guest_token_redis_up', 3);
    expect(series.map(({ values }) => values.at(-1)?.[1])).toEqual(['1', '1']);
  });
});
