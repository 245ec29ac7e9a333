// HAProxy and nginx as processes, with the configurations that docs/deployment/gateways.md gives, on loopback and
// without TLS.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../demo/free-port.ts';

export type FrontName = 'haproxy' | 'nginx';

export interface Front extends AsyncDisposable {
  readonly url: string;
}

const versionFlag: Readonly<Record<FrontName, string>> = { haproxy: '-v', nginx: '-v' };

export const isInstalled = (name: FrontName): boolean => spawnSync(name, [versionFlag[name]]).status === 0;

/** The page's configuration for a product. */
function documented(name: FrontName): string {
  const page = readFileSync('docs/deployment/gateways.md', 'utf8');
  const [, configuration] = new RegExp(`^\`\`\`${name}\\n(.*?)^\`\`\``, 'ms').exec(page) ?? [];
  if (configuration === undefined) throw new Error(`docs/deployment/gateways.md has no configuration for ${name}`);
  return configuration;
}

/** Replaces its ports by those of this run. Throws if one of them is missing. */
function adapt(configuration: string, replacements: readonly (readonly [RegExp, string])[]): string {
  return replacements.reduce((text, [pattern, replacement]) => {
    if (!pattern.test(text)) throw new Error(`the configuration has no ${pattern.source}`);
    return text.replace(pattern, replacement);
  }, configuration);
}

function command(
  name: FrontName,
  folder: string,
  port: number,
  replicas: readonly [number, number],
): readonly string[] {
  const [a, b] = replicas;
  const servers = [
    [/10\.0\.1\.11:8080/, `127.0.0.1:${a}`],
    [/10\.0\.1\.12:8080/, `127.0.0.1:${b}`],
  ] as const;
  const file = join(folder, 'front.conf');
  if (name === 'haproxy') {
    const own = adapt(documented(name), [...servers, [/bind :443 .*/, `bind 127.0.0.1:${port}`]]);
    writeFileSync(file, `global\n  maxconn 2000\n${own}`);
    return ['-db', '-q', '-f', file];
  }
  const own = adapt(documented(name), [
    ...servers,
    [/listen 443 ssl;/, `listen 127.0.0.1:${port};`],
    [/ssl_certificate .*;/, ''],
    [/ssl_certificate_key .*;/, ''],
  ]);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
    events { worker_connections 1024; }
    http { access_log off; ${paths.join(' ')} ${own} }`,
  );
  return ['-c', file, '-p', folder, '-e', `${folder}/error.log`];
}

/** Starts it in front of replicas on these ports, and waits until it listens. */
export async function startFront(name: FrontName, replicas: readonly [number, number]): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), `guest-token-${name}-`));
  const port = await freePort();
  const child: ChildProcess = spawn(name, command(name, folder, port, replicas), { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    fetch(`${url}/guest-token`, { method: 'POST' }).then(
      ({ status }) => status === 401,
      () => false,
    );
  for (const end = performance.now() + 10_000; !(await answers()); await delay(50))
    if (child.exitCode !== null || performance.now() > end) throw new Error(`${name} does not answer (${folder})`);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
