// A real Prometheus (Debian's package) that scrapes replicas every second, with the alert rules of deploy/prometheus.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../demo/free-port.ts';

export const prometheusIsInstalled = spawnSync('prometheus', ['--version']).status === 0;

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since 1970, and the value as text. */
  readonly values: readonly (readonly [number, string])[];
}

export interface Rule {
  readonly type: 'alerting' | 'recording';
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state?: 'inactive' | 'pending' | 'firing';
}

export interface Prometheus extends AsyncDisposable {
  /** @param seconds length of the range, which ends now @throws with Prometheus' message if the expression is wrong */
  readonly query: (expression: string, seconds: number, step?: number) => Promise<readonly Series[]>;
  readonly rules: () => Promise<readonly Rule[]>;
}

export async function startPrometheus(adminPorts: readonly number[]): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-prometheus-'));
  const port = await freePort();
  const targets = adminPorts.map((adminPort) => `'127.0.0.1:${adminPort}'`).join(', ');
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['${resolve('deploy/prometheus/guest-token-proxy.rules.yaml')}']
scrape_configs: [{ job_name: guest-token-proxy, static_configs: [{ targets: [${targets}] }] }]
`,
  );
  const args = [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ];
  const child = spawn('prometheus', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const get = async <T>(path: string): Promise<T> => {
    const { data, error } = (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as {
      data: T;
      error?: string;
    };
    if (error !== undefined) throw new Error(error);
    return data;
  };
  const isReady = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (const end = performance.now() + 20_000; !(await isReady()); await delay(50))
    if (child.exitCode !== null || performance.now() > end) throw new Error('Prometheus did not start');
  return {
    query: async (expression, seconds, step = 1) => {
      const end = Date.now() / 1000;
      const range = new URLSearchParams({
        query: expression,
        start: String(end - seconds),
        end: String(end),
        step: String(step),
      });
      return (await get<{ result: readonly Series[] }>(`/api/v1/query_range?${range.toString()}`)).result;
    },
    rules: async () =>
      (await get<{ groups: readonly { rules: readonly Rule[] }[] }>('/api/v1/rules')).groups.flatMap(
        ({ rules }) => rules,
      ),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
