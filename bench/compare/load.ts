// Starts the process that generates the load, and lets it run one load after the other.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadOrder, LoadResult } from './load-process.ts';

export interface Load {
  readonly upstreamUrl: string;
  /** The same over TLS, 50 ms away. */
  readonly tlsUpstreamUrl: string;
  readonly run: (order: LoadOrder) => Promise<LoadResult>;
  readonly stop: () => void;
}

export async function startLoad(): Promise<Load> {
  const file = fileURLToPath(new URL('load-process.ts', import.meta.url));
  const child = spawn('taskset', ['-c', '1', process.execPath, file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const response = async <T>(): Promise<T> => {
    const [message] = (await once(child, 'message')) as [T];
    return message;
  };
  const { upstreamPort, tlsUpstreamPort } = await response<{ upstreamPort: number; tlsUpstreamPort: number }>();
  return {
    upstreamUrl: `http://127.0.0.1:${upstreamPort}`,
    tlsUpstreamUrl: `https://127.0.0.1:${tlsUpstreamPort}`,
    run: (order) => {
      const result = response<LoadResult>();
      child.send(order);
      return result;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

/** A permutation that is the same in every run (a Fisher–Yates shuffle with a linear congruential generator). */
export function shuffled(values: readonly number[]): readonly number[] {
  const result = [...values];
  let state = 12_345;
  for (let i = result.length - 1; i > 0; i -= 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j] ?? 0, result[i] ?? 0];
  }
  return result;
}
