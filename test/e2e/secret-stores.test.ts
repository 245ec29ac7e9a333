// The program with its secrets in Vault: it logs in, uses changes, continues while Vault is unavailable, and refuses to
// start without a secret. Vault is simulated here; .ci/secret-stores tests real servers.
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import type { LogMessage } from '../support/sentences/log-messages.ts';
import { programPath } from '../support/programs/program-path.ts';
import { runProgram, startProgram, type ProgramResponse, type Program } from '../support/programs/program.ts';
import { otherSelfSigned, selfSigned } from '../support/self-signed.ts';
import { signToken } from '../support/sign-token.ts';
import { until } from '../support/until.ts';
import { startVaultStandIn, type VaultStandIn } from '../support/servers/vault-stand-in.ts';
import { salesPolicy as policy } from '../support/sales-policy.ts';

const secretId = 'the-secret-id-that-must-never-be-printed';

let path: string;
let folder: string;
let databrain: SimulatedDatabrain;
let vault: VaultStandIn;
let program: Program | undefined;
let jwtSecret: string;
let apiKey: string;
/** The values that must not appear anywhere. */
let secrets: string[];

beforeAll(async () => {
  path = programPath();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'guest-token-stores-'));
  apiKey = randomUUID();
  jwtSecret = `signing-secret-${randomUUID()}`;
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  vault = await startVaultStandIn();
  vault.mount('secret', 'kv2');
  vault.write('secret', 'proxy', { 'api-key': apiKey, signing: jwtSecret });
  vault.enableLogin(
    'approle',
    { role_id: 'proxy', secret_id: secretId },
    { ttlSeconds: 3_600, mayRead: ['secret/data/proxy'] },
  );
  secrets = [apiKey, jwtSecret, secretId];
});
afterEach(async () => {
  await program?.kill();
  program = undefined;
  await vault.close();
  await databrain.close();
  rmSync(folder, { recursive: true, force: true });
});

const settings = (): Record<string, string> => ({
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'guest-token',
  JWT_SECRET_VAULT: 'secret/proxy#signing',
  DATABRAIN_API_URL: databrain.url,
  DATABRAIN_API_KEY_VAULT: 'secret/proxy#api-key',
  VAULT_ADDR: vault.address,
  VAULT_ROLE_ID: 'proxy',
  VAULT_SECRET_ID: secretId,
  SECRETS_REFRESH_SECONDS: '5',
  TOKEN_REUSE: 'off',
});

async function start(env: Record<string, string> = {}): Promise<Program> {
  program = await startProgram({ path, env: { ...settings(), ...env }, files: { 'policy.yaml': policy } });
  return program;
}

function run(command: string, env: Record<string, string> = {}): Promise<{ exitCode: number | null; output: string }> {
  writeFileSync(join(folder, 'policy.yaml'), policy);
  return runProgram(path, [command], { ...settings(), ...env }, folder);
}

async function mint(running: Program, secret = jwtSecret): Promise<ProgramResponse> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://issuer.example', aud: 'guest-token', sub: 'u1', org_id: 'acme', exp: now + 600 };
  return running.send({ headers: { authorization: `Bearer ${signToken('HS256', secret, claims)}` } });
}

const checksOf = async (running: Program): Promise<unknown> =>
  (JSON.parse((await running.send({ method: 'GET', path: '/readyz' })).text) as { checks: unknown }).checks;

const metricsOf = async (running: Program): Promise<string> =>
  (await running.send({ method: 'GET', path: '/metrics', port: running.adminPort })).text;

const expectNoSecrets = (text: string): void => {
  for (const secret of [...secrets, ...vault.validTokens(), 'hvs.']) expect(text).not.toContain(secret);
};

const has = (running: Program, message: LogMessage): boolean => running.logged(message).length > 0;

describe('the program with its secrets in Vault', () => {
  it('starts with them, mints, reveals none of them, and revokes its login when it stops', async () => {
    const running = await start();
    expect((await mint(running)).status).toBe(200);
    expect(await checksOf(running)).toMatchObject({ apiKeys: 'ok', secretStores: 'ok' });
    expect(vault.validTokens()).toHaveLength(1);
    expectNoSecrets(running.output() + (await metricsOf(running)));
    expect(await running.stop()).toBe(0);
    expect(vault.validTokens()).toEqual([]);
  });

  it('uses a rotated API key when Databrain refuses the old one, without an error for the user', async () => {
    const running = await start({ SECRETS_REFRESH_SECONDS: '86400' });
    expect((await mint(running)).status).toBe(200);
    const response = await fetch(`${databrain.url}/api/v2/data-app/rotate-api`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ expireAt: 0 }),
    });
    const { key } = (await response.json()) as { key: string };
    secrets.push(key);
    vault.write('secret', 'proxy', { 'api-key': key, signing: jwtSecret });
    expect((await mint(running)).status).toBe(200);
    expect(has(running, 'secretReloaded')).toBe(true);
    expectNoSecrets(running.output());
  });

  it('uses a changed signing secret at the refresh interval, and at once after SIGHUP', async () => {
    const running = await start();
    const second = `second-signing-${randomUUID()}`;
    vault.write('secret', 'proxy', { 'api-key': apiKey, signing: second });
    await expect.poll(async () => (await mint(running, second)).status, { timeout: 15_000 }).toBe(200);
    expect((await mint(running)).status).toBe(401);
    vault.write('secret', 'proxy', { 'api-key': apiKey, signing: jwtSecret });
    running.signal('SIGHUP');
    await expect.poll(async () => (await mint(running)).status, { timeout: 4_000 }).toBe(200);
    secrets.push(second);
    expectNoSecrets(running.output());
  });

  it('keeps the old value if the new one is refused', async () => {
    const running = await start();
    vault.write('secret', 'proxy', { 'api-key': jwtSecret, signing: jwtSecret });
    running.signal('SIGHUP');
    await until(() => has(running, 'storedSecretRefused'));
    expect((await mint(running)).status).toBe(200);
    expect(await checksOf(running)).toMatchObject({ secretStores: 'failing' });
    expectNoSecrets(running.output());
  });

  it('keeps the last valid values while Vault is unavailable, logs it, and uses Vault again without a restart', async () => {
    const running = await start();
    await vault.stop();
    running.signal('SIGHUP');
    await until(() => has(running, 'storedSecretUnreadable'));
    expect((await mint(running)).status).toBe(200);
    const ready = await running.send({ method: 'GET', path: '/readyz' });
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([
      200,
      { status: 'ok', checks: { secretStores: 'failing' } },
    ]);
    expect(await metricsOf(running)).toContain('guest_token_secret_readable{setting="DATABRAIN_API_KEY"} 0');
    await vault.restart();
    await until(() => has(running, 'storedSecretReadable'), 15_000);
    await expect.poll(() => checksOf(running), { timeout: 15_000 }).toMatchObject({ secretStores: 'ok' });
    expect(await metricsOf(running)).toContain('guest_token_secret_readable{setting="DATABRAIN_API_KEY"} 1');
    const problems = running.logged('storedSecretUnreadable').map(({ problem }) => problem);
    expect(problems).toEqual([1, 2].map(() => expect.stringContaining('(ECONNREFUSED)') as string));
  });

  it('logs in again if its token was revoked, even if Vault was sealed meanwhile', async () => {
    const running = await start();
    vault.state.sealed = true;
    vault.revoke();
    running.signal('SIGHUP');
    await until(() => has(running, 'storedSecretUnreadable'));
    vault.state.sealed = false;
    await until(() => has(running, 'storedSecretReadable'), 15_000);
    expect(vault.validTokens()).toHaveLength(1);
    expect(has(running, 'loggedInToStore')).toBe(true);
  });

  it('accepts a replaced certificate of Vault and of its CA', async () => {
    await vault.close();
    vault = await startVaultStandIn({ tls: selfSigned });
    vault.mount('secret', 'kv1');
    vault.write('secret', 'proxy', { 'api-key': apiKey, signing: jwtSecret });
    const token = vault.issue({ ttlSeconds: 0, mayRead: ['secret/proxy'] });
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, selfSigned.cert);
    const running = await start({ VAULT_ROLE_ID: '', VAULT_SECRET_ID: '', VAULT_TOKEN: token, VAULT_CACERT: ca });
    vault.replaceCertificate(otherSelfSigned);
    running.signal('SIGHUP');
    await until(() => has(running, 'storedSecretUnreadable'));
    expect(running.logged('storedSecretUnreadable')[0]?.['problem']).toContain('(DEPTH_ZERO_SELF_SIGNED_CERT)');
    writeFileSync(ca, otherSelfSigned.cert);
    await until(() => has(running, 'storedSecretReadable'), 15_000);
  });
});

describe('the start with secrets in Vault', () => {
  it('waits for an unavailable Vault', async () => {
    vault.state.sealed = true;
    const starting = start();
    await until(() => vault.requests.length >= 2);
    vault.state.sealed = false;
    const running = await starting;
    expect((await mint(running)).status).toBe(200);
    expect(running.output()).toMatch(/^waiting: DATABRAIN_API_KEY_VAULT: /m);
  });

  it('ends with exit code 1 after the wait, so that a supervisor starts it again', async () => {
    vault.state.sealed = true;
    const { exitCode, output } = await run('serve', { SECRETS_START_WAIT_SECONDS: '1' });
    expect(exitCode).toBe(1);
    expect(output).toMatch(/^DATABRAIN_API_KEY_VAULT: /m);
    expectNoSecrets(output);
  });

  it.each([
    ['a path without permission', { DATABRAIN_API_KEY_VAULT: 'secret/other#api-key' }, 'DATABRAIN_API_KEY_VAULT'],
    ['a missing field', { DATABRAIN_API_KEY_VAULT: 'secret/proxy#key' }, 'DATABRAIN_API_KEY_VAULT'],
    ['a reference without a field', { JWT_SECRET_VAULT: 'secret/proxy' }, 'JWT_SECRET_VAULT'],
    ['a refused login', { VAULT_SECRET_ID: 'wrong' }, 'JWT_SECRET_VAULT'],
    ['a secret in two places', { JWT_SECRET: 'x'.repeat(40) }, 'JWT_SECRET'],
    ['a store for a setting that is not a secret', { JWT_ISSUER_VAULT: 'secret/proxy#x' }, 'JWT_ISSUER_VAULT'],
    ['one value for two secrets', { DATABRAIN_API_KEY_VAULT: 'secret/proxy#signing' }, 'DATABRAIN_API_KEY'],
  ])('ends at once with exit code 78 for %s', async (_what, env, location) => {
    const { exitCode, output } = await run('serve', env);
    expect(output).toMatch(new RegExp(`^${location}: .+\\. .+\\.$`, 'm'));
    expect(output).not.toMatch(/^waiting/m);
    expect(exitCode).toBe(78);
    expectNoSecrets(output);
  });

  it('is checked by `check`, which reads every secret and prints none', async () => {
    const { exitCode, output } = await run('check');
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^secret: DATABRAIN_API_KEY .* secret\/proxy#api-key$/m);
    expect(output).toMatch(/^secret: JWT_SECRET .* secret\/proxy#signing$/m);
    expectNoSecrets(output);
    expect(vault.validTokens()).toEqual([]);
  });

  it('names the missing package for a cloud store', async () => {
    const program = join(folder, 'dist', basename(path));
    for (const part of [path, path.slice(0, -'.js'.length)])
      cpSync(part, join(folder, 'dist', basename(part)), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'policy.yaml'), policy);
    const env = { ...settings(), DATABRAIN_API_KEY_VAULT: '', DATABRAIN_API_KEY_AWS_SECRET: 'prod/app#api-key' };
    const { exitCode, output } = await runProgram(program, ['check'], env, folder);
    expect(output).toMatch(/^DATABRAIN_API_KEY_AWS_SECRET: .*\bnpm install @aws-sdk\/client-secrets-manager\b.*\n$/);
    expect(exitCode).toBe(78);
  });

  it('does not need Vault for a secret in a file, whatever the VAULT_… variables are', async () => {
    await vault.stop();
    const running = await start({
      DATABRAIN_API_KEY_VAULT: '',
      DATABRAIN_API_KEY: apiKey,
      JWT_SECRET_VAULT: '',
      JWT_SECRET: jwtSecret,
    });
    expect((await mint(running)).status).toBe(200);
    expect(await checksOf(running)).not.toHaveProperty('secretStores');
  });
});
