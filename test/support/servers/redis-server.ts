// A real redis-server on a private port of this machine, without persistence, that a test may kill, freeze, restart
// and flush. Tests that need it are skipped where the program is not installed.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { freePort } from '../../../demo/free-port.ts';
import { needs } from '../vitest/needs.ts';

export const redisIsInstalled = spawnSync('redis-server', ['--version']).status === 0;
/** Appended to the titles of tests that are skipped without it. */
export const redisReason = needs(redisIsInstalled, 'redis-server');

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Kills it. */
  readonly kill: () => Promise<void>;
  /** SIGSTOP: connections stay open and nothing is answered. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** Starts it again on the same port, empty. */
  readonly restart: () => Promise<void>;
  /** Runs one command on a separate connection. */
  readonly call: (command: string, ...args: string[]) => Promise<unknown>;
  /** Everything in it as text, binary values in Latin-1. */
  readonly dump: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** @param extra further arguments; a configuration file must come first */
export async function startRedisServer(extra: readonly string[] = [], fixedPort?: number): Promise<RedisServer> {
  const port = fixedPort ?? (await freePort());
  let child: ChildProcess | undefined;

  // TLS only, with a self-signed certificate.
  const caFile = extra[extra.indexOf('--tls-ca-cert-file') + 1];
  const secured =
    extra.includes('--tls-ca-cert-file') && caFile !== undefined ? { tls: { ca: readFileSync(caFile) } } : {};
  const requirepass = extra[extra.indexOf('--requirepass') + 1];
  const credentials = extra.includes('--requirepass') && requirepass !== undefined ? { password: requirepass } : {};

  const withClient = async <T>(use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis({
      ...credentials,
      ...secured,
      port,
      host: '127.0.0.1',
      retryStrategy: (times) => Math.min(times * 20, 100),
    });
    client.on('error', () => undefined);
    try {
      return await use(client);
    } finally {
      client.disconnect();
    }
  };

  const launch = async (): Promise<void> => {
    const portOption = 'tls' in secured ? ['--port', '0', '--tls-port'] : ['--port'];
    const own = [...portOption, String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const isSentinel = extra.includes('--sentinel');
    child = spawn('redis-server', isSentinel ? extra : [...own, ...extra], { stdio: 'ignore' });
    await withClient((client) => client.ping());
  };

  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };

  await launch();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    restart: async () => {
      await kill();
      await launch();
    },
    call: (command, ...args) => withClient((client) => client.call(command, args)),
    dump: () =>
      withClient(async (client) => {
        const parts: string[] = [];
        for (const key of await client.keys('*')) {
          const value = await client.getBuffer(key);
          parts.push(key, value?.toString('latin1') ?? '', value?.toString('base64') ?? '');
        }
        return parts.join('\n');
      }),
    stop: kill,
  };
}
