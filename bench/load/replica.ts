// One replica: the real service as a separate process, and its metrics.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../demo/free-port.ts';

export interface Replica {
  readonly url: string;
  /** Sum of a metric's samples whose labels contain the text. */
  readonly metric: (name: string, labels?: string) => Promise<number>;
  /** Bytes in use on the heap, after a garbage collection. */
  readonly heapBytes: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

const preloaded = ['./demo/end-with-parent.ts', './bench/load/collect-garbage.ts'].flatMap((file) => [
  '--import',
  file,
]);

/** Starts the service with the settings and waits until it is ready. */
export async function startReplica(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Replica> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, ['--expose-gc', ...preloaded, 'src/main.ts', 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOST: '127.0.0.1',
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      POLICY_FILE: `${folder}/policy.yaml`,
      SHUTDOWN_DRAIN_SECONDS: '0',
      SHUTDOWN_GRACE_SECONDS: '3',
      ...env,
    },
    // The pipe closes when this process ends, however it ends.
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  const end = performance.now() + 20_000;
  while (!(await isReady())) {
    if (child.exitCode !== null || performance.now() > end) throw new Error('a replica did not become ready');
    await delay(50);
  }
  const metric: Replica['metric'] = async (name, labels = '') => {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(name) && /[ {]/.test(line.charAt(name.length)) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  return {
    url,
    metric,
    heapBytes: async () => {
      child.stdin.write('collect');
      await delay(300);
      return metric('nodejs_heap_size_used_bytes');
    },
    stop: async () => {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
