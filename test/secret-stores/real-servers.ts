// Real servers with Vault's API, each in memory or in its own folder, on a local port: Vault's core, and
// RustyVault, an independent implementation. .ci/secret-stores builds both and passes their paths.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../demo/free-port.ts';

export interface RealVault {
  readonly address: string;
  readonly rootToken: string;
  /** Returns the JSON of the answer, if it has any. Throws after an unsuccessful status. */
  readonly api: (method: string, path: string, body?: unknown, token?: string) => Promise<VaultJson>;
  readonly seal: () => Promise<void>;
  readonly unseal: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface VaultJson {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly auth?: Readonly<Record<string, unknown>>;
}

type ServerAccess = { readonly address: string; readonly token: string; readonly key: string };

/** The path of a server's binary, or undefined with a reason for the titles of skipped tests. */
export const binaryOf = (variable: string): { readonly path?: string; readonly reason: string } => {
  const path = process.env[variable];
  if (path === undefined && process.env['TEST_REQUIRE_ALL'] === '1') throw new Error(`${variable} is not set`);
  return path === undefined ? { reason: ` (skipped: ${variable} is not set)` } : { path, reason: '' };
};

/** Waits up to half a minute for any answer from this address. */
export async function untilReachable(url: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if ((await fetch(url).catch(() => undefined)) !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing answers at ${url}`);
}

function toVault({ address, token: rootToken, key }: ServerAccess, child: ChildProcess, clean: () => void): RealVault {
  const api: RealVault['api'] = async (method, path, body, token = rootToken) => {
    const answer = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as VaultJson);
  };
  return {
    address,
    rootToken,
    api,
    seal: async () => void (await api('PUT', 'sys/seal')),
    unseal: async () => {
      // RustyVault sometimes cannot restart its timers so soon, and stays half open: it reports
      // that it is unsealed, and must be sealed once more.
      for (let attempt = 1; ; attempt += 1) {
        try {
          await api('PUT', 'sys/unseal', { key });
          return;
        } catch (error) {
          if (attempt === 20) throw error;
          await api('PUT', 'sys/seal').catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      }
    },
    close: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      clean();
    },
  };
}

/** @param tls files of a certificate and its key, read again for every connection */
export async function startVault(
  binary: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<RealVault> {
  const child = spawn(binary, tls === undefined ? [] : [tls.cert, tls.key], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return toVault(JSON.parse(line) as ServerAccess, child, () => undefined);
}

export async function startRustyVault(binary: string): Promise<RealVault> {
  const folder = mkdtempSync(join(tmpdir(), 'rusty-vault-'));
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const settings = [
    `storage "file" {\n  path = "${folder}/data"\n}`,
    `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  tls_disable = "true"\n}`,
    `api_addr = "${address}"\nwork_dir = "${folder}"\ndaemon = false`,
  ];
  writeFileSync(join(folder, 'settings.hcl'), `${settings.join('\n')}\n`);
  const child = spawn(binary, ['server', '--config', join(folder, 'settings.hcl')], { stdio: 'ignore' });
  await untilReachable(`${address}/v1/sys/seal-status`);
  const answer = await fetch(`${address}/v1/sys/init`, {
    method: 'PUT',
    body: JSON.stringify({ secret_shares: 1, secret_threshold: 1 }),
  });
  const { keys, root_token: token } = (await answer.json()) as { keys: [string]; root_token: string };
  const vault = toVault({ address, token, key: keys[0] }, child, () =>
    rmSync(folder, { recursive: true, force: true }),
  );
  await vault.unseal();
  return vault;
}
