// The client for Vault against Vault itself: engines, logins, tokens that expire, sealing, certificates.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createSettingReader } from '../../src/config/setting-reader.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createFileReader } from '../../src/file-reader.ts';
import type { SecretStore, StoreEvent } from '../../src/secrets/secret-store.ts';
import type { SecretRead } from '../../src/secrets/secret-setting.ts';
import { vaultStoreKind } from '../../src/secrets/vault/vault-store.ts';
import { otherSelfSigned, selfSigned } from '../support/self-signed.ts';
import { signToken } from '../support/sign-token.ts';
import { binaryOf, startRustyVault, startVault, type RealVault } from './real-servers.ts';
import { withNamedProblem } from '../support/sentences/name-sentence.ts';

const apiKey = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';
const realVault = binaryOf('TEST_VAULT_SERVER');
const rustyVault = binaryOf('TEST_RUSTY_VAULT');

let vault: RealVault;
let folder: string;
const stores: SecretStore[] = [];
const events: StoreEvent[] = [];

async function open(env: Record<string, string>): Promise<SecretStore> {
  const store = await vaultStoreKind.open({
    settings: createSettingReader({ VAULT_ADDR: vault.address, ...env }, readFileSync, []),
    readFile: createFileReader(),
    egress: createEgress({ https: undefined, http: undefined, noProxy: '' }),
    clock: systemClock,
    random: Math.random,
    onEvent: (event) => events.push(event),
    report: () => undefined,
  });
  if (store === undefined) throw new Error('the settings are wrong');
  stores.push(store);
  return store;
}

const revealed = (read: SecretRead): unknown => (read.kind === 'read' ? read.value.reveal() : read);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const logins = (): number => events.filter((event) => event.kind === 'login' && event.result === 'ok').length;

const reading =
  'path "kv/data/app" { capabilities = ["read"] }\npath "kv/app" { capabilities = ["read"] }\npath "old/app" { capabilities = ["read"] }\npath "team/kv/data/app" { capabilities = ["read"] }\n';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guest-token-real-vault-'));
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  events.length = 0;
  rmSync(folder, { recursive: true, force: true });
});

async function approle(terms: Record<string, unknown>): Promise<Record<string, string>> {
  const policies = { token_policies: 'proxy', token_max_ttl: 86_400 };
  await vault.api('POST', 'auth/approle/role/proxy', { ...policies, ...terms });
  const role = await vault.api('GET', 'auth/approle/role/proxy/role-id');
  const secret = await vault.api('PUT', 'auth/approle/role/proxy/secret-id', {});
  return { VAULT_ROLE_ID: String(role.data?.['role_id']), VAULT_SECRET_ID: String(secret.data?.['secret_id']) };
}

describe.skipIf(realVault.path === undefined)(`Vault${realVault.reason}`, () => {
  beforeAll(async () => {
    vault = await startVault(realVault.path ?? '');
    await vault.api('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
    await vault.api('POST', 'sys/mounts/team/kv', { type: 'kv', options: { version: '2' } });
    await vault.api('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
    await vault.api('PUT', 'sys/policies/acl/proxy', { policy: reading });
    for (const method of ['approle', 'jwt', 'kubernetes'])
      await vault.api('POST', `sys/auth/${method}`, { type: method });
    await pause(1_000); // An engine of version 2 needs some time after its creation.
  });
  beforeEach(async () => {
    for (const path of ['kv/data/app', 'team/kv/data/app'])
      await vault.api('POST', path, { data: { key: apiKey, count: 5 } });
    await vault.api('POST', 'old/app', { key: apiKey });
  });
  afterAll(() => vault.close());

  it.each(['kv/app#key', 'old/app#key', 'team/kv/app#key'])(
    'returns %s, with read permission only',
    async (reference) => {
      const store = await open(await approle({ token_ttl: '1h' }));
      expect(revealed(await store.read(reference))).toBe(apiKey);
    },
  );

  it.each(['kv/app#key', 'old/app#key'])('returns %s if the mounts must not be listed', async (reference) => {
    await vault.api('PUT', 'sys/policies/acl/proxy', {
      policy: `${reading}path "sys/internal/ui/mounts/*" { capabilities = ["deny"] }`,
    });
    const store = await open(await approle({ token_ttl: '1h' }));
    expect(revealed(await store.read(reference))).toBe(apiKey);
    await vault.api('PUT', 'sys/policies/acl/proxy', { policy: reading });
  });

  it('reports a missing, forbidden or deleted secret, and one that is not a string', async () => {
    const store = await open(await approle({ token_ttl: '1h' }));
    expect(withNamedProblem(await store.read('kv/app#other'))).toMatchObject({
      kind: 'refused',
      problem: 'secretNoField',
    });
    expect(withNamedProblem(await store.read('kv/app#count'))).toMatchObject({
      kind: 'refused',
      problem: 'secretNotString',
    });
    expect(withNamedProblem(await store.read('kv/none#key'))).toMatchObject({
      kind: 'refused',
      problem: 'secretForbidden(403)',
    });
    expect(logins()).toBe(1);
    await vault.api('DELETE', 'kv/data/app');
    expect(withNamedProblem(await store.read('kv/app#key'))).toMatchObject({
      kind: 'refused',
      problem: 'secretDeleted',
    });
    const root = await open({ VAULT_TOKEN: vault.rootToken });
    expect(withNamedProblem(await root.read('kv/none#key'))).toMatchObject({
      kind: 'refused',
      problem: 'secretUnknown',
    });
    expect(await root.read('kv/data/app#key')).toMatchObject({
      fix: expect.stringContaining('Write kv/app') as string,
    });
    expect((await root.read('nowhere/app#key')).kind).toBe('refused');
  });

  it('renews a token, and logs in again when its maximum lifetime ends', async () => {
    const store = await open(await approle({ token_ttl: '3s', token_max_ttl: '9s' }));
    await store.read('kv/app#key');
    await pause(5_000);
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
    expect(logins()).toBe(1);
    await pause(6_000);
    expect(logins()).toBe(2);
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
    expect(events.every((event) => event.kind === 'login' && event.result === 'ok')).toBe(true);
  });

  it('logs in again after the token was revoked, and revokes its token at the end', async () => {
    const store = await open(await approle({ token_ttl: '1h' }));
    await store.read('kv/app#key');
    const before = (await vault.api('LIST', 'auth/token/accessors')).data?.['keys'] as string[];
    for (const accessor of before) {
      const { data } = await vault.api('POST', 'auth/token/lookup-accessor', { accessor });
      if (data?.['path'] === 'auth/approle/login') await vault.api('POST', 'auth/token/revoke-accessor', { accessor });
    }
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
    expect(logins()).toBe(2);
    await store.close();
    const after = (await vault.api('LIST', 'auth/token/accessors')).data?.['keys'] as string[];
    expect(after).toHaveLength(1); // the root token
  });

  it('refuses a wrong secret id, and reports no part of the response', async () => {
    const store = await open({ ...(await approle({})), VAULT_SECRET_ID: 'wrong' });
    expect(withNamedProblem(await store.read('kv/app#key'))).toMatchObject({
      kind: 'refused',
      problem: 'secretUnread(vaultLoginRefused(auth/approle, 400))',
    });
  });

  it('uses an operator’s token, renews it, and warns before it expires', async () => {
    const made = await vault.api('POST', 'auth/token/create', {
      policies: ['proxy'],
      ttl: '4s',
      explicit_max_ttl: '8s',
    });
    const store = await open({ VAULT_TOKEN: String(made.auth?.['client_token']) });
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
    await pause(6_000);
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
    await pause(3_000);
    expect(events.map(({ kind }) => kind)).toContain('credential_expires');
    expect((await store.read('kv/app#key')).kind).toBe('refused');
  });

  it('accepts a login by JWT', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await vault.api('POST', 'auth/jwt/config', {
      jwt_validation_pubkeys: [publicKey.export({ type: 'spki', format: 'pem' })],
    });
    await vault.api('POST', 'auth/jwt/role/proxy', {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['vault'],
      token_policies: ['proxy'],
    });
    const file = join(folder, 'jwt');
    const exp = Math.floor(Date.now() / 1000) + 60;
    writeFileSync(file, `${signToken('ES256', privateKey, { sub: 'proxy', aud: 'vault', exp })}\n`);
    const store = await open({ VAULT_JWT_ROLE: 'proxy', VAULT_JWT_FILE: file });
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
  });

  it('accepts a login by Kubernetes', async () => {
    // Vault asks the cluster for the owner of the token (authentication.k8s.io/v1 TokenReview).
    const cluster = createServer((request, response) => {
      request.resume();
      const user = { username: 'system:serviceaccount:apps:proxy', uid: 'u-1', groups: ['system:serviceaccounts'] };
      response.writeHead(201, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          kind: 'TokenReview',
          apiVersion: 'authentication.k8s.io/v1',
          status: { authenticated: true, user },
        }),
      );
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => cluster.once('listening', resolve));
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await vault.api('POST', 'auth/kubernetes/config', {
      kubernetes_host: `http://127.0.0.1:${(cluster.address() as AddressInfo).port}`,
      disable_local_ca_jwt: true,
      kubernetes_ca_cert: selfSigned.cert,
      token_reviewer_jwt: signToken('RS256', privateKey, { sub: 'reviewer' }),
    });
    await vault.api('POST', 'auth/kubernetes/role/proxy', {
      bound_service_account_names: 'proxy',
      bound_service_account_namespaces: 'apps',
      token_policies: 'proxy',
    });
    const now = Math.floor(Date.now() / 1000);
    const file = join(folder, 'token');
    writeFileSync(
      file,
      signToken('RS256', privateKey, {
        iss: 'kubernetes/serviceaccount',
        sub: 'system:serviceaccount:apps:proxy',
        'kubernetes.io': { namespace: 'apps', serviceaccount: { name: 'proxy', uid: 'u-1' } },
        exp: now + 600,
        iat: now,
      }),
    );
    const store = await open({ VAULT_K8S_ROLE: 'proxy', VAULT_JWT_FILE: file });
    expect(revealed(await store.read('kv/app#key'))).toBe(apiKey);
    cluster.close();
  });

  it('is reported as sealed, and is called again later', async () => {
    const store = await open(await approle({ token_ttl: '1h' }));
    await store.read('kv/app#key');
    await vault.seal();
    expect(withNamedProblem(await store.read('kv/app#key'))).toMatchObject({
      kind: 'unavailable',
      problem: 'secretUnread(vaultSealed)',
    });
    await vault.unseal();
    await expect.poll(async () => revealed(await store.read('kv/app#key')), { timeout: 10_000 }).toBe(apiKey);
  });
});

describe.skipIf(realVault.path === undefined)(`Vault with TLS${realVault.reason}`, () => {
  it('is trusted by VAULT_CACERT only, even after both certificates were replaced', async () => {
    const [cert, key, ca] = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => join(folder, name));
    if (cert === undefined || key === undefined || ca === undefined) throw new Error('no files');
    writeFileSync(cert, selfSigned.cert);
    writeFileSync(key, selfSigned.key);
    writeFileSync(ca, selfSigned.cert);
    vault = await startVault(realVault.path ?? '', { cert, key });
    const trusted = await open({ VAULT_TOKEN: vault.rootToken, VAULT_CACERT: ca });
    expect(withNamedProblem(await trusted.read('cubbyhole/app#key'))).toMatchObject({ problem: 'secretUnknown' });
    const untrusted = await open({ VAULT_TOKEN: vault.rootToken });
    expect(withNamedProblem(await untrusted.read('cubbyhole/app#key'))).toMatchObject({
      kind: 'refused',
      problem: expect.stringContaining('vaultUntrusted(') as string,
    });
    writeFileSync(key, otherSelfSigned.key);
    writeFileSync(cert, otherSelfSigned.cert);
    expect(withNamedProblem(await trusted.read('cubbyhole/app#key'))).toMatchObject({
      problem: expect.stringContaining('vaultUntrusted(') as string,
    });
    writeFileSync(ca, otherSelfSigned.cert);
    expect(withNamedProblem(await trusted.read('cubbyhole/app#key'))).toMatchObject({ problem: 'secretUnknown' });
    await vault.close();
  });
});

describe.skipIf(rustyVault.path === undefined)(`RustyVault${rustyVault.reason}`, () => {
  beforeAll(async () => {
    vault = await startRustyVault(rustyVault.path ?? '');
    await vault.api('POST', 'sys/auth/approle', { type: 'approle' });
  });
  beforeEach(async () => void (await vault.api('POST', 'secret/app', { key: apiKey })));
  afterAll(() => vault.close());

  it('returns a secret of version 1 for a token and for an AppRole', async () => {
    expect(revealed(await (await open({ VAULT_TOKEN: vault.rootToken })).read('secret/app#key'))).toBe(apiKey);
    const store = await open(await approle({ token_ttl: 3_600 }));
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
    expect((await store.read('secret/none#key')).kind).toBe('refused');
  });

  it('renews a token, and logs in again when its maximum lifetime ends', async () => {
    const store = await open(await approle({ token_ttl: 3, token_max_ttl: 9 }));
    await store.read('secret/app#key');
    await pause(12_000);
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
    expect(events.every((event) => event.kind === 'login' && event.result === 'ok')).toBe(true);
  });

  it('is reported as sealed, and is called again later', async () => {
    const store = await open({ VAULT_TOKEN: vault.rootToken });
    await store.read('secret/app#key');
    await vault.seal();
    expect((await store.read('secret/app#key')).kind).toBe('unavailable');
    await vault.unseal();
    expect(revealed(await store.read('secret/app#key'))).toBe(apiKey);
  });
});
