// Secrets in Vault over real sockets, with a simulated server of its documented API: KV of both versions, all logins,
// and all responses without a secret.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import { createEgress } from '../../../src/egress/egress.ts';
import type { EgressProxy } from '../../../src/egress/tunnel.ts';
import { createFileReader } from '../../../src/file-reader.ts';
import type { Problem } from '../../../src/problem.ts';
import type { SecretStore, StoreEvent } from '../../../src/secrets/secret-store.ts';
import type { SecretRead } from '../../../src/secrets/secret-setting.ts';
import { vaultStoreKind } from '../../../src/secrets/vault/vault-store.ts';
import { startScriptedProxy } from '../../support/servers/forward-proxy.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { selfSigned } from '../../support/self-signed.ts';
import { startVaultStandIn, type VaultStandIn } from '../../support/servers/vault-stand-in.ts';
import { until } from '../../support/until.ts';
import { withNamedProblem } from '../../support/sentences/name-sentence.ts';

const mayRead = ['secret/data/app', 'secret/app', 'team/kv/data/app', 'old/app', 'mint/key'];
const apiKey = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';

let vault: VaultStandIn;
let folder: string;
const stores: SecretStore[] = [];
const events: StoreEvent[] = [];

let egressProxy: EgressProxy | undefined;

async function open(
  env: Record<string, string>,
  clock = systemClock,
): Promise<{ store: SecretStore; problems: Problem[] }> {
  const problems: Problem[] = [];
  const reader = createSettingReader({ VAULT_ADDR: vault.address, ...env }, readFileSync, problems);
  const store = await vaultStoreKind.open({
    settings: reader,
    readFile: createFileReader(),
    egress: createEgress({ https: egressProxy, http: egressProxy, noProxy: '' }),
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    report: () => undefined,
  });
  if (store !== undefined) stores.push(store);
  return {
    store: store ?? { read: () => Promise.reject(new Error(JSON.stringify(problems))), close: () => Promise.resolve() },
    problems,
  };
}

const revealed = (read: SecretRead): unknown => (read.kind === 'read' ? read.value.reveal() : read);
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

async function prepare(options?: Parameters<typeof startVaultStandIn>[0]): Promise<void> {
  vault = await startVaultStandIn(options);
  vault.mount('secret', 'kv2');
  vault.mount('team/kv', 'kv2');
  vault.mount('old', 'kv1');
  for (const mount of ['secret', 'team/kv', 'old']) vault.write(mount, 'app', { key: apiKey, count: 5, empty: '' });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'guest-token-vault-'));
  await prepare();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  events.length = 0;
  await vault.close();
  rmSync(folder, { recursive: true, force: true });
});

const tokenEnv = (): Record<string, string> => ({ VAULT_TOKEN: vault.issue({ ttlSeconds: 0, mayRead }) });

describe('a secret in Vault', () => {
  it.each([
    ['version 2 of KV', 'secret/app#key'],
    ['version 1 of KV', 'old/app#key'],
    ['a mount whose path has several parts', 'team/kv/app#key'],
  ])('is read from %s', async (_what, reference) => {
    const { store } = await open(tokenEnv());
    expect(revealed(await store.read(reference))).toBe(apiKey);
  });

  it.each([
    ['version 2 of KV', 'secret/app#key'],
    ['version 1 of KV', 'old/app#key'],
  ])('is read from %s if the mounts must not be listed', async (_what, reference) => {
    vault.state.mountsMayBeListed = false;
    const { store } = await open(tokenEnv());
    expect(revealed(await store.read(reference))).toBe(apiKey);
    const requestsBefore = vault.requests.length;
    expect(revealed(await store.read(reference))).toBe(apiKey);
    expect(vault.requests.length - requestsBefore).toBe(1);
  });

  it('is found again after its mount is upgraded to version 2', async () => {
    const { store } = await open(tokenEnv());
    vault.mount('secret', 'kv1');
    vault.write('secret', 'app', { key: 'first-value' });
    expect(revealed(await store.read('secret/app#key'))).toBe('first-value');
    vault.mount('secret', 'kv2');
    vault.write('secret', 'app', { key: 'second-value' });
    expect(revealed(await store.read('secret/app#key'))).toBe('second-value');
  });

  it.each([
    ['there is no such field', 'secret/app#other', 'secretNoField'],
    ['the field is a number', 'secret/app#count', 'secretNotString'],
    ['the field is empty', 'secret/app#empty', 'settingEmpty'],
    ['the name of the field is a member of every object', 'secret/app#toString', 'secretNoField'],
    ['there is no such secret', 'secret/app2#key', 'secretForbidden(403)'],
    ['there is no such mount', 'nowhere/app#key', 'secretForbidden(403)'],
    ['the reference names no field', 'secret/app', 'referenceNamesNoField'],
    ['the reference contains ..', 'secret/../sys/x#key', 'notVaultPath'],
  ])('is refused when %s', async (_what, reference, problem) => {
    const { store } = await open(tokenEnv());
    expect(withNamedProblem(await store.read(reference))).toMatchObject({ kind: 'refused', problem });
  });

  it('that was deleted is reported as deleted', async () => {
    vault.write('secret', 'app', 'deleted');
    const { store } = await open(tokenEnv());
    expect(withNamedProblem(await store.read('secret/app#key'))).toMatchObject({
      kind: 'refused',
      problem: 'secretDeleted',
    });
  });

  it('with an API path in its reference is refused with the correct reference', async () => {
    const { store } = await open({ VAULT_TOKEN: vault.issue({ ttlSeconds: 0, mayRead: ['secret/*'] }) });
    const read = await store.read('secret/data/app#key');
    expect(read).toMatchObject({ kind: 'refused', fix: expect.stringContaining('Write secret/app') as string });
  });

  it('is read in the configured namespace', async () => {
    await vault.close();
    await prepare({ namespace: 'team/project' });
    const { store } = await open({ ...tokenEnv(), VAULT_NAMESPACE: '/team/project/' });
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });
});

describe('a login', () => {
  const terms = { ttlSeconds: 60, mayRead };

  it('by AppRole reads its secret id each time', async () => {
    const secretId = file('secret-id', 'first-id\n');
    vault.enableLogin('approle', { role_id: 'the-role', secret_id: 'first-id' }, terms);
    const { store } = await open({ VAULT_ROLE_ID: 'the-role', VAULT_SECRET_ID_FILE: secretId });
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
    vault.revoke();
    vault.enableLogin('approle', { role_id: 'the-role', secret_id: 'second-id' }, terms);
    writeFileSync(secretId, 'second-id\n');
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
    expect(events.map(({ kind }) => kind)).toEqual(['login', 'login']);
  });

  it('by Kubernetes sends the token of the service account', async () => {
    vault.enableLogin('k8s-prod', { role: 'proxy', jwt: 'a.service.account' }, terms);
    const { store } = await open({
      VAULT_K8S_ROLE: 'proxy',
      VAULT_JWT_FILE: file('token', 'a.service.account'),
      VAULT_AUTH_PATH: 'k8s-prod',
    });
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });

  it('by JWT sends the JWT in its file', async () => {
    vault.enableLogin('jwt', { role: 'proxy', jwt: 'a.work.load' }, terms);
    const { store } = await open({ VAULT_JWT_ROLE: 'proxy', VAULT_JWT_FILE: file('jwt', 'a.work.load\n') });
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });

  it('that is refused is reported without its credentials and without the response', async () => {
    vault.enableLogin('approle', { role_id: 'the-role', secret_id: 'right' }, terms);
    const { store } = await open({ VAULT_ROLE_ID: 'the-role', VAULT_SECRET_ID: 'wrong-secret-id' });
    const read = await store.read('secret/app#key');
    expect(withNamedProblem(read)).toMatchObject({
      kind: 'refused',
      problem: 'secretUnread(vaultLoginRefused(auth/approle, 400))',
    });
    expect(JSON.stringify([read, events])).not.toMatch(/wrong-secret-id|invalid role/);
  });

  it('runs once for all waiting callers', async () => {
    vault.enableLogin('approle', { role_id: 'the-role' }, terms);
    const { store } = await open({ VAULT_ROLE_ID: 'the-role' });
    await Promise.all(['secret/app#key', 'old/app#key', 'team/kv/app#key'].map((reference) => store.read(reference)));
    expect(vault.requestCount('auth/approle/login')).toBe(1);
  });

  it('revokes its token when the service stops', async () => {
    vault.enableLogin('approle', { role_id: 'the-role' }, terms);
    const { store } = await open({ VAULT_ROLE_ID: 'the-role' });
    await store.read('secret/app#key');
    expect(vault.validTokens()).toHaveLength(1);
    await store.close();
    expect(vault.validTokens()).toEqual([]);
  });

  it('with a token of an operator does not revoke it', async () => {
    const { store } = await open(tokenEnv());
    await store.read('secret/app#key');
    await store.close();
    expect(vault.validTokens()).toHaveLength(1);
  });

  it.each([
    ['none', {}, 'VAULT_TOKEN'],
    ['two', { VAULT_TOKEN: 'x', VAULT_K8S_ROLE: 'x' }, 'VAULT_K8S_ROLE'],
    ['a secret id without a role', { VAULT_TOKEN: 'x', VAULT_SECRET_ID: 'y' }, 'VAULT_SECRET_ID'],
    ['a JWT role without its file', { VAULT_JWT_ROLE: 'x' }, 'VAULT_JWT_FILE'],
    ['an invalid path of the login', { VAULT_K8S_ROLE: 'x', VAULT_AUTH_PATH: 'a/../b' }, 'VAULT_AUTH_PATH'],
    ['http to another machine', { VAULT_TOKEN: 'x', VAULT_ADDR: 'http://vault.internal:8200' }, 'VAULT_ADDR'],
    ['an address that ends in /v1', { VAULT_TOKEN: 'x', VAULT_ADDR: 'https://vault.internal/v1' }, 'VAULT_ADDR'],
    ['disabled verification of certificates', { VAULT_TOKEN: 'x', VAULT_SKIP_VERIFY: 'true' }, 'VAULT_SKIP_VERIFY'],
  ])('is a configuration problem with %s', async (_what, env, location) => {
    const { problems } = await open(env);
    expect(problems.map((problem) => problem.location)).toEqual([location]);
  });
});

describe('a token', () => {
  it('is renewed without another login', async () => {
    // The clocks of Vault and of the token stand still, so that a slow process does not let the token expire.
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      vault.enableLogin('approle', { role_id: 'r' }, { ttlSeconds: 2, mayRead });
      const { store } = await open({ VAULT_ROLE_ID: 'r' }, createManualClock());
      await store.read('secret/app#key');
      await until(() => vault.requestCount('auth/token/renew-self') >= 2);
      expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
      expect(vault.requestCount('auth/approle/login')).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is replaced by a new login before it expires if a renewal no longer extends it', async () => {
    vault.enableLogin('approle', { role_id: 'r' }, { ttlSeconds: 3, maxTtlSeconds: 3, mayRead });
    const { store } = await open({ VAULT_ROLE_ID: 'r' });
    await store.read('secret/app#key');
    const started = Date.now();
    await until(() => vault.requestCount('auth/approle/login') === 2);
    expect(Date.now() - started).toBeLessThan(3_000);
    expect(vault.requestCount('auth/token/renew-self')).toBe(1);
  });

  it('that is not renewable is replaced by a new login before it expires', async () => {
    vault.enableLogin('approle', { role_id: 'r' }, { ttlSeconds: 2, renewable: false, mayRead });
    const { store } = await open({ VAULT_ROLE_ID: 'r' });
    await store.read('secret/app#key');
    await until(() => vault.requestCount('auth/approle/login') === 2);
    expect(vault.requestCount('auth/token/renew-self')).toBe(0);
  });

  it('that was revoked is replaced by a new login at the next read', async () => {
    vault.enableLogin('approle', { role_id: 'r' }, { ttlSeconds: 600, mayRead });
    const { store } = await open({ VAULT_ROLE_ID: 'r' });
    await store.read('secret/app#key');
    vault.revoke();
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
    expect(vault.requestCount('auth/approle/login')).toBe(2);
  });

  it('is replaced once, even if a reader notices the revocation after another reader has logged in', async () => {
    vault.enableLogin('approle', { role_id: 'r' }, { ttlSeconds: 600, mayRead });
    const { store } = await open({ VAULT_ROLE_ID: 'r' });
    await store.read('secret/app#key');
    vault.revoke();
    let respondLate = (): void => undefined;
    let questions = 0;
    vault.override(({ path }, response) => {
      if (path !== 'auth/token/lookup-self') return false;
      questions += 1;
      if (questions === 1) return false;
      respondLate = () => response.writeHead(403, { 'content-type': 'application/json' }).end('{"errors":[]}');
      return true;
    });
    const reads = [store.read('secret/app#key'), store.read('team/kv/app#key')];
    await Promise.race(reads);
    await until(() => questions === 2);
    respondLate();
    for (const read of await Promise.all(reads)) expect(revealed(read)).toBe(apiKey);
    expect(vault.requestCount('auth/approle/login')).toBe(2);
  });

  it('without a permission causes no further logins', async () => {
    vault.enableLogin('approle', { role_id: 'r' }, { ttlSeconds: 600, mayRead });
    const { store } = await open({ VAULT_ROLE_ID: 'r' });
    for (let read = 0; read < 3; read += 1) expect((await store.read('secret/other#key')).kind).toBe('refused');
    expect(vault.requestCount('auth/approle/login')).toBe(1);
  });

  it('is read from its file again if it is refused', async () => {
    const path = file('token', vault.issue({ ttlSeconds: 0, mayRead }));
    const { store } = await open({ VAULT_TOKEN_FILE: path });
    await store.read('secret/app#key');
    vault.revoke();
    writeFileSync(path, vault.issue({ ttlSeconds: 0, mayRead }));
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });

  it('of an operator that cannot be extended causes one warning before it expires', async () => {
    const token = vault.issue({ ttlSeconds: 4, maxTtlSeconds: 4, mayRead });
    const { store } = await open({ VAULT_TOKEN: token });
    await store.read('secret/app#key');
    await until(() => vault.validTokens().length === 0);
    expect(events.filter(({ kind }) => kind === 'credential_expires')).toHaveLength(1);
    expect((await store.read('secret/app#key')).kind).toBe('refused');
  });
});

describe('a secret with a lease', () => {
  beforeEach(() => vault.mountLeased('mint', { seconds: 60, maxSeconds: 90 }));

  it('is extended when it is read again, and replaced when a new value is requested', async () => {
    const { store } = await open(tokenEnv());
    const first = await store.read('mint/key#key');
    expect(first).toMatchObject({ kind: 'read', freshForMs: 60_000 });
    expect(revealed(await store.read('mint/key#key'))).toBe(revealed(first));
    expect(vault.requestCount('mint/key')).toBe(1);
    expect(revealed(await store.read('mint/key#key', { forceNew: true }))).not.toBe(revealed(first));
  });

  it('is replaced if its lease can no longer be extended', async () => {
    vault.mountLeased('mint', { seconds: 60, maxSeconds: 20 });
    const { store } = await open(tokenEnv());
    const first = await store.read('mint/key#key');
    expect(revealed(await store.read('mint/key#key'))).not.toBe(revealed(first));
  });
});

describe('a Vault server that returns no secret', () => {
  const cases: readonly (readonly [
    problem: string,
    status: number,
    headers: Record<string, string>,
    body: string,
    problem: string,
  ])[] = [
    ['is sealed', 503, {}, '{"errors":["Vault is sealed"]}', 'Vault is sealed'],
    ['is not initialized', 400, {}, '{"errors":["Vault is not initialized"]}', 'not initialized'],
    [
      'is a standby that redirects',
      307,
      { location: 'https://other.example/v1/secret/data/app' },
      '',
      'redirect (307)',
    ],
    [
      'is a standby that cannot answer',
      500,
      {},
      '{"errors":["local node not active but active cluster node not found"]}',
      '500',
    ],
    ['limits the rate', 429, {}, '{"errors":["request path is rate limited"]}', '429'],
    ['is unavailable behind a load balancer', 502, {}, '<html>', '502'],
  ];

  it.each(cases)('because it %s is called again later', async (_what, status, headers, body, problem) => {
    const { store } = await open(tokenEnv());
    await store.read('secret/app#key');
    vault.override((_request, response) => {
      response.writeHead(status, headers).end(body);
      return true;
    });
    const read = await store.read('secret/app#key');
    expect(read.kind).toBe('unavailable');
    expect(read.kind === 'read' ? '' : read.problem).toContain(problem);
    vault.override(undefined);
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });

  it('because it is down is called again later', async () => {
    const { store } = await open(tokenEnv());
    await store.read('secret/app#key');
    await vault.stop();
    expect(withNamedProblem(await store.read('secret/app#key'))).toMatchObject({
      kind: 'unavailable',
      problem: 'secretUnread(vaultUnreachable(ECONNREFUSED))',
    });
    await vault.restart();
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });

  it('is reported as another server if it returns a web page', async () => {
    const { store } = await open(tokenEnv());
    vault.override((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>a portal</html>');
      return true;
    });
    expect(await store.read('secret/app#key')).toMatchObject({ kind: 'refused', fix: 'Check VAULT_ADDR' });
  });

  it('sends an endless response, which is read only up to a limit', async () => {
    const { store } = await open(tokenEnv());
    await store.read('secret/app#key');
    let sent = 0;
    vault.override((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        sent += 65_536;
        if (!response.destroyed) response.write(Buffer.alloc(65_536, 32), () => setImmediate(more));
      };
      more();
      return true;
    });
    expect((await store.read('secret/app#key')).kind).toBe('refused');
    expect(sent).toBeLessThan(16_000_000);
  });
});

describe('TLS to Vault', () => {
  beforeEach(async () => {
    await vault.close();
    await prepare({ tls: selfSigned });
  });

  it('trusts the CAs in VAULT_CACERT, which is read for each request', async () => {
    const ca = file('ca.pem', '');
    const { store } = await open({ ...tokenEnv(), VAULT_CACERT: ca });
    expect(withNamedProblem(await store.read('secret/app#key'))).toMatchObject({
      kind: 'refused',
      problem: 'secretUnread(caWithoutCertificates(VAULT_CACERT))',
    });
    writeFileSync(ca, selfSigned.cert);
    // The result of a failed login is reused for one second.
    await expect.poll(async () => revealed(await store.read('secret/app#key')), { timeout: 5_000 }).toBe(apiKey);
  });

  it('uses a tunnel through the egress proxy, except for http to this machine', async () => {
    const proxy = await startScriptedProxy();
    egressProxy = { origin: proxy.url, authorization: undefined };
    try {
      const { store } = await open({ ...tokenEnv(), VAULT_CACERT: file('ca.pem', selfSigned.cert) });
      expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
      expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${vault.address.replace('https://', '')}`]));
      proxy.behave(403);
      expect((await store.read('secret/app#key')).kind).toBe('unavailable');

      await vault.close();
      await prepare();
      const requestsBefore = proxy.requests.length;
      const local = await open(tokenEnv());
      expect(revealed(await local.store.read('secret/app#key'))).toBe(apiKey);
      expect(proxy.requests).toHaveLength(requestsBefore);
    } finally {
      egressProxy = undefined;
      await proxy.close();
    }
  });

  it('is refused for another CA, whatever certificate settings the environment has', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      const { store } = await open(tokenEnv());
      expect(withNamedProblem(await store.read('secret/app#key'))).toMatchObject({
        kind: 'refused',
        problem: 'secretUnread(vaultUntrusted(DEPTH_ZERO_SELF_SIGNED_CERT))',
      });
      expect(vault.requests).toEqual([]);
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });
});
