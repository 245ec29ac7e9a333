// The proxy in the demo: the real program as a child process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProxyProcess {
  /** Its log: one JSON object per line. */
  readonly log: Readable;
  /** Resolves once `/readyz` is 200; rejects when the process ends before or the time is over. */
  readonly ready: () => Promise<void>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<string>;
  /** Ends it with SIGTERM, then with SIGKILL. */
  readonly stop: () => Promise<void>;
}

interface ProxyProcessOptions {
  /** Path of Node. */
  readonly node: string;
  /** The repository's root. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
}

const readyWithinMs = 20_000;
const politeMs = 1_000;

export function startProxyProcess({ node, root, env, url }: ProxyProcessOptions): ProxyProcess {
  const child = spawn(node, ['--import', import.meta.resolve('./end-with-parent.ts'), 'src/main.ts', 'serve'], {
    cwd: root,
    env,
    // Nobody writes to this pipe. It closes when this process ends, even if it is killed.
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close').then(
    () => failure ?? (child.signalCode === null ? `exit code ${child.exitCode ?? '?'}` : `signal ${child.signalCode}`),
    () => failure ?? 'it could not be started',
  );

  const answersReady = async (): Promise<boolean> => {
    try {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  };

  return {
    log: child.stdout,
    ended,
    async ready() {
      let how: string | undefined;
      void ended.then((text) => (how = text));
      for (const deadline = Date.now() + readyWithinMs; Date.now() < deadline; await delay(50)) {
        if (await answersReady()) return;
        if (how !== undefined) throw new Error(`The proxy exited while starting (${how}). Its message is above.`);
      }
      throw new Error(`The proxy was not ready within ${readyWithinMs / 1000} s (${url}/readyz).`);
    },
    async stop() {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), politeMs);
      await ended;
      clearTimeout(force);
    },
  };
}
