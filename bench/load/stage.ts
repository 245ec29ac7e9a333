// The environment of the load run: two replicas of the real service, Redis if it is installed, and the faulty
// Databrain. Stops everything at the end, also after an error.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisIsInstalled, startRedisServer, type RedisServer } from '../../test/support/servers/redis-server.ts';
import { startFaultyDatabrain, type FaultyDatabrain, type UpstreamLimit } from './faulty-databrain.ts';
import { startReplica, type Replica } from './replica.ts';

export interface Stage {
  readonly replicas: readonly Replica[];
  readonly databrain: FaultyDatabrain;
  readonly redis: RedisServer | undefined;
  readonly jwtSecret: string;
  /** Sum of a metric over the replicas. */
  readonly sum: (name: string, labels?: string) => Promise<number>;
}

const policy = `
version: 1
dataApps:
  sales:
    default: true
    expiresIn: 2m
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
`;

const jwtSecret = 'load-run-only-secret-of-at-least-32-bytes';

/** Starts the environment, runs the function, and stops everything. */
export async function onStage<T>(limit: UpstreamLimit, play: (stage: Stage) => Promise<T>): Promise<T> {
  const takeDown: (() => unknown)[] = [];
  try {
    const folder = mkdtempSync(join(tmpdir(), 'guest-token-load-'));
    takeDown.push(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'policy.yaml'), policy);
    const redis = redisIsInstalled ? await startRedisServer() : undefined;
    takeDown.push(() => redis?.stop());
    const databrain = await startFaultyDatabrain({ limit, faultShare: 0.05, random: Math.random });
    takeDown.push(databrain.close);
    const env = {
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: '5bd4e6a2-8f5e-4d39-9a6b-3c2f1e0d9b8a',
      JWT_ISSUER: 'https://login.example',
      JWT_AUDIENCE: 'dashboards',
      JWT_ALGORITHMS: 'HS256',
      JWT_SECRET: jwtSecret,
      TRUST_PROXY: '127.0.0.1',
      // Tokens of two minutes: fresh for twelve seconds (six minutes, compressed), then spare for 48 more.
      TOKEN_REUSE_MIN_REMAINING_PERCENT: '90',
      REDIS_URL: redis?.url,
    };
    const replicas: Replica[] = [];
    for (let count = 0; count < 2; count += 1) {
      const replica = await startReplica(folder, env);
      takeDown.push(replica.stop);
      replicas.push(replica);
    }
    const sum: Stage['sum'] = async (name, labels) =>
      (await Promise.all(replicas.map(({ metric }) => metric(name, labels)))).reduce((all, one) => all + one, 0);
    return await play({ replicas, databrain, redis, jwtSecret, sum });
  } finally {
    for (const step of takeDown.reverse()) await step();
  }
}
