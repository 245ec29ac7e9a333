// A Docker engine for tests: whether it is available, the image under test, and containers that end with the test.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needs } from '../vitest/needs.ts';

const run = promisify(execFile);

/** Runs `docker …args` and returns what it printed; throws with its error output if it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run('docker', args, { maxBuffer: 64 * 1024 * 1024 });
  return `${stdout}${stderr}`.trim();
}

/** For `describe.skipIf(!hasEngine)`: containers share the network of the host in these tests, so it must be Linux. */
export const hasEngine: boolean =
  process.platform === 'linux' &&
  spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 }).status === 0;

/** Behind the title of a test that is skipped without it. */
export const engineReason = needs(hasEngine, 'a Docker engine');

/** The image given by the environment variable, or one built here from the Dockerfile's target. */
export async function imageOf(target: 'runtime' | 'demo'): Promise<string> {
  const given = process.env[target === 'runtime' ? 'TEST_DOCKER_IMAGE' : 'TEST_DOCKER_DEMO_IMAGE'];
  if (given !== undefined) return given;
  const tag = `guest-token-proxy-${target}:test`;
  await docker('build', '--quiet', '--network', 'host', '--target', target, '--tag', tag, '.');
  return tag;
}

const composeVersion = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8', timeout: 10_000 });

/** For `describe.skipIf(!hasCompose)`: an engine, and Compose as its plugin. */
export const hasCompose: boolean = hasEngine && composeVersion.status === 0;

/** Behind the title of a test that is skipped without it. */
export const composeReason = needs(hasCompose, hasEngine ? 'docker compose' : 'a Docker engine');

/** Runs `docker compose …args` in the repository's root; its exit code, and both its streams. */
export async function runCompose(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly output: string }> {
  const child = spawn('docker', ['compose', ...args], { env: { ...process.env, ...variables } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  return { status, output };
}

interface State {
  readonly Status: string;
  readonly ExitCode: number;
  readonly OOMKilled: boolean;
  readonly Health?: { readonly Status: string; readonly Log: readonly { readonly Output: string }[] };
}

export interface Container extends AsyncDisposable {
  readonly id: string;
  readonly state: () => Promise<State>;
  readonly logs: () => Promise<string>;
  /** Waits until Docker calls it `healthy`; throws with its log if it ends or stays unhealthy. */
  readonly untilHealthy: (timeoutMs: number) => Promise<void>;
  /** Waits until it has ended; throws if it has not by then. */
  readonly exitCode: (timeoutMs: number) => Promise<number>;
}

async function until<T>(what: string, timeoutMs: number, attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const value = await attempt();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not ${what} within ${timeoutMs} ms`);
}

/** Starts `docker run --detach …args`; disposing of it removes the container, running or not. */
export async function startContainer(...args: readonly string[]): Promise<Container> {
  const id = (await docker('create', ...args)).split('\n').at(-1) ?? '';
  const state = async (): Promise<State> =>
    JSON.parse(await docker('inspect', '--format', '{{json .State}}', id)) as State;
  const logs = (): Promise<string> => docker('logs', id);
  await docker('start', id);

  return {
    id,
    state,
    logs,
    untilHealthy: (timeoutMs) =>
      until('healthy', timeoutMs, async () => {
        const { Status, Health } = await state();
        if (Status === 'exited' || Health?.Status === 'unhealthy')
          throw new Error(`the container is ${Status}, ${Health?.Status ?? 'unchecked'}:\n${await logs()}`);
        return Health?.Status === 'healthy' ? true : undefined;
      }).then(() => undefined),
    exitCode: (timeoutMs) =>
      until('ended', timeoutMs, async () => {
        const { Status, ExitCode } = await state();
        return Status === 'exited' ? ExitCode : undefined;
      }),
    [Symbol.asyncDispose]: async () => {
      await docker('rm', '--force', '--volumes', id);
    },
  };
}

/** The paths of all files (not folders) in an image, without a leading slash, sorted. */
export async function filesIn(image: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'guest-token-proxy-image-'));
  const id = await docker('create', image);
  try {
    const archive = join(folder, 'image.tar');
    await docker('export', '--output', archive, id);
    const { stdout } = await run('tar', ['--list', '--file', archive], { maxBuffer: 64 * 1024 * 1024 });
    return stdout
      .split('\n')
      .filter((name) => name !== '' && !name.endsWith('/'))
      .sort();
  } finally {
    await docker('rm', id);
    await rm(folder, { recursive: true });
  }
}
