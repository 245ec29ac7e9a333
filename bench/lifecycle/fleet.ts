// Two replicas of the built program as separate processes, with one simulated Databrain and optionally one Redis. Each
// can be stopped, killed and started again.
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { freePort } from '../../demo/free-port.ts';
import { startProgram, type Program } from '../../test/support/programs/program.ts';

export const jwtSecret = 'a secret of the life cycle run, 32 bytes or more'.replace(',', '');

export const policyWith = (expiresIn: string): string => `version: 1
dataApps:
  sales-dashboard:
    default: true
    expiresIn: ${expiresIn}
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
`;

export interface Fleet extends AsyncDisposable {
  readonly ports: readonly [number, number];
  readonly databrain: SimulatedDatabrain;
  readonly replica: (index: 0 | 1) => Program;
  /** Starts a replica in place of one that has exited, and waits until it is ready. */
  readonly start: (index: 0 | 1) => Promise<void>;
  /** Sends SIGTERM, waits for the exit, and starts a new one. Returns the exit code. */
  readonly restart: (index: 0 | 1) => Promise<number | null>;
  /** Replaces a file of both replicas by a new file that is renamed over it. */
  readonly writeFile: (name: string, text: string) => void;
  /** Rotates the data app's API key in Databrain; the old one works for this long. */
  readonly rotateApiKey: (graceSeconds: number) => Promise<string>;
}

interface FleetOptions {
  /** Path of the built program. */
  readonly program: string;
  readonly redisUrl?: string;
  readonly drainSeconds?: number;
  /** Of one call to Databrain. */
  readonly delayMs?: number;
}

export async function startFleet({ program, redisUrl, drainSeconds = 2, delayMs = 20 }: FleetOptions): Promise<Fleet> {
  let apiKey: string = randomUUID();
  const databrain = await startSimulatedDatabrain({
    apiKeys: { 'sales-dashboard': apiKey },
    rateLimit: 'off',
    delayMs,
    keep: 1_000_000,
  });
  const ports = [await freePort(), await freePort()] as const;
  const files = new Map([
    ['policy.yaml', policyWith('1h')],
    ['api-key', `${apiKey}\n`],
  ]);
  const running: [Program | undefined, Program | undefined] = [undefined, undefined];

  const replica = (index: 0 | 1): Program => {
    const one = running[index];
    if (one === undefined) throw new Error('this replica does not run');
    return one;
  };

  const start = async (index: 0 | 1): Promise<void> => {
    const one = await startProgram({
      path: program,
      files: Object.fromEntries(files),
      env: {
        PORT: String(ports[index]),
        JWT_ISSUER: 'https://login.example',
        JWT_AUDIENCE: 'dashboards',
        JWT_SECRET: jwtSecret,
        DATABRAIN_API_URL: databrain.url,
        DATABRAIN_API_KEY_FILE: 'api-key',
        SHUTDOWN_DRAIN_SECONDS: String(drainSeconds),
        SHUTDOWN_GRACE_SECONDS: '10',
        RATE_LIMIT_USER_MAX: '1000000',
        RATE_LIMIT_ADDRESS_MAX: '1000000',
        REDIS_URL: redisUrl,
      },
    });
    running[index] = one;
    while ((await one.send({ method: 'GET', path: '/readyz' })).status !== 200) await delay(20);
  };

  await Promise.all([start(0), start(1)]);
  return {
    ports,
    databrain,
    replica,
    start,
    restart: async (index) => {
      const exitCode = await replica(index).stop();
      await start(index);
      return exitCode;
    },
    writeFile: (name, text) => {
      files.set(name, text);
      for (const index of [0, 1] as const) {
        const path = join(replica(index).folder, name);
        writeFileSync(`${path}.next`, text);
        renameSync(`${path}.next`, path);
      }
    },
    rotateApiKey: async (graceSeconds) => {
      const response = await fetch(`${databrain.url}/api/v2/data-app/rotate-api`, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ expireAt: graceSeconds }),
      });
      ({ key: apiKey } = (await response.json()) as { key: string });
      return apiKey;
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of running) {
        one?.signal('SIGKILL');
        await one?.exited;
      }
      await databrain.close();
    },
  };
}
