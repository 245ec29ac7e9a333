// Rotates keys as in docs/operating/rotating-keys.md, step by step, on the running program: no step refuses a user who
// had access before. The API key and the JWT secret are rotated in lifecycle tests, the issuer's own keys in
// oidc.test.ts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { freePort } from '../../demo/free-port.ts';
import { programPath } from '../support/programs/program-path.ts';
import { startProgram, type Program } from '../support/programs/program.ts';
import { redisIsInstalled, redisReason, startRedisServer, type RedisServer } from '../support/servers/redis-server.ts';
import { otherSelfSigned, selfSigned } from '../support/self-signed.ts';
import { signToken } from '../support/sign-token.ts';
import { until } from '../support/until.ts';
import { startVaultStandIn } from '../support/servers/vault-stand-in.ts';
import { needs } from '../support/vitest/needs.ts';
import { salesPolicy as policy } from '../support/sales-policy.ts';

const secret = 'the signing secret of the rotation tests 32 bytes';

let apiKey: string;
let databrain: SimulatedDatabrain;
let folder: string;
let programs: Program[];

beforeAll(async () => {
  apiKey = randomUUID();
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
});
afterAll(() => databrain.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guest-token-rotation-'));
  programs = [];
});
afterEach(async () => {
  for (const program of programs) program.signal('SIGKILL');
  await Promise.all(programs.map(({ exited }) => exited));
  rmSync(folder, { recursive: true, force: true });
});

/** Replaces a file like an operator's tool: writes a new file, then renames it. */
function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
}

async function start(env: Record<string, string>): Promise<Program> {
  const program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: 'https://issuer.example',
      JWT_AUDIENCE: 'guest-token',
      DATABRAIN_API_URL: databrain.url,
      ...(env['JWT_PUBLIC_KEY_FILE'] === undefined ? { JWT_SECRET: secret } : {}),
      ...env,
    },
    files: { 'policy.yaml': policy },
  });
  programs.push(program);
  return program;
}

function bearer(sub: string, sign: (claims: object) => string = (claims) => signToken('HS256', secret, claims)) {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = { iss: 'https://issuer.example', aud: 'guest-token', sub, org_id: 'acme', exp };
  return { authorization: `Bearer ${sign(claims)}` };
}

async function tokenOf(program: Program, sub: string): Promise<string> {
  const answer = await program.send({ headers: bearer(sub) });
  expect(answer.status).toBe(200);
  return (JSON.parse(answer.text) as { token: string }).token;
}

describe('the public key of an issuer in a file', () => {
  it('is first used together with the new one, then removed', async () => {
    const [old, next] = [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ];
    const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;
    const statusWith = async (key: KeyObject): Promise<number> =>
      (await program.send({ headers: bearer('u1', (claims) => signToken('ES256', key, claims)) })).status;
    const program = await start({
      DATABRAIN_API_KEY: apiKey,
      JWT_PUBLIC_KEY_FILE: put('key.pem', pem(old.publicKey)),
      JWT_ALGORITHMS: 'ES256',
    });
    expect(await statusWith(old.privateKey)).toBe(200);
    put('key.pem', pem(old.publicKey) + pem(next.publicKey));
    program.signal('SIGHUP');
    await until(() => program.logged('secretReloaded').length > 0);
    expect(await Promise.all([statusWith(old.privateKey), statusWith(next.privateKey)])).toEqual([200, 200]);
    put('key.pem', pem(next.publicKey));
    program.signal('SIGHUP');
    await expect.poll(() => statusWith(old.privateKey), { timeout: 10_000 }).toBe(401);
    expect(await statusWith(next.privateKey)).toBe(200);
  });
});

describe('the token for Vault in a file', () => {
  it('is replaced, then the old one is revoked, and secrets can still be read', async () => {
    const vault = await startVaultStandIn();
    try {
      vault.mount('secret', 'kv2');
      vault.write('secret', 'proxy', { 'api-key': apiKey });
      const issue = (): string => vault.issue({ ttlSeconds: 0, mayRead: ['secret/data/proxy'] });
      const old = issue();
      const program = await start({
        DATABRAIN_API_KEY_VAULT: 'secret/proxy#api-key',
        VAULT_ADDR: vault.address,
        VAULT_TOKEN_FILE: put('vault-token', old),
      });
      await tokenOf(program, 'u1');
      put('vault-token', issue());
      vault.revoke(old);
      const readBefore = vault.requestCount('secret/data/proxy');
      program.signal('SIGHUP');
      await until(() => vault.requestCount('secret/data/proxy') > readBefore + 1);
      const ready = await program.send({ method: 'GET', path: '/readyz' });
      expect(JSON.parse(ready.text)).toMatchObject({ checks: { secretStores: 'ok' } });
      await tokenOf(program, 'u2');
      expect(program.logged('storedSecretUnreadable')).toEqual([]);
    } finally {
      await vault.close();
    }
  });
});

describe.skipIf(!redisIsInstalled)(`with Redis${redisReason}`, () => {
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await startRedisServer(['--requirepass', 'old-password']);
  });
  afterEach(() => redis.stop());

  const urlWith = (password: string): string => `redis://:${password}@127.0.0.1:${redis.port}`;
  const usesRedis = async (program: Program): Promise<boolean> =>
    (await program.send({ method: 'GET', path: '/metrics', port: program.adminPort })).text.includes(
      '\nguest_token_redis_up 1\n',
    );

  it('a new password is added, replicas restart one by one, then the old one is removed', async () => {
    const env = { DATABRAIN_API_KEY: apiKey, REDIS_URL_FILE: put('redis-url', urlWith('old-password')) };
    const first = await start(env);
    const token = await tokenOf(first, 'u1');

    await redis.call('ACL', 'SETUSER', 'default', '>new-password');
    put('redis-url', urlWith('new-password'));
    const second = await start(env);
    expect(await tokenOf(second, 'u1')).toBe(token);
    expect(await first.stop()).toBe(0);

    await redis.call('ACL', 'SETUSER', 'default', '<old-password');
    expect(await usesRedis(second)).toBe(true);
    const third = await start(env);
    expect(await tokenOf(third, 'u1')).toBe(token);
    for (const program of programs) expect(program.logged('redisNotInUse')).toEqual([]);
  });

  it('the encryption key of shared tokens changes with the API key, replica by replica', async () => {
    const env = { DATABRAIN_API_KEY_FILE: put('api-key', apiKey), REDIS_URL: urlWith('old-password') };
    const [one, other] = [await start(env), await start(env)];
    for (const replica of [one, other]) await until(() => usesRedis(replica));
    const before = await tokenOf(one, 'u1');
    expect(await tokenOf(other, 'u1')).toBe(before);

    const rotated = await fetch(`${databrain.url}/api/v2/data-app/rotate-api`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ expireAt: 60 }),
    });
    apiKey = ((await rotated.json()) as { key: string }).key;
    put('api-key', apiKey);
    one.signal('SIGHUP');
    await until(() => one.logged('secretReloaded').length > 0);
    const after = await tokenOf(one, 'u1');
    expect(after).not.toBe(before);

    other.signal('SIGHUP');
    await until(() => other.logged('secretReloaded').length > 0);
    expect(await tokenOf(other, 'u1')).toBe(after);
    for (const token of [before, after]) expect(await redis.dump()).not.toContain(token);
  });
});

const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
if (!hasHaproxy && process.env['TEST_REQUIRE_ALL'] === '1') throw new Error('haproxy is not installed');

describe.skipIf(!hasHaproxy)(`HAProxy in front${needs(hasHaproxy, 'haproxy')}`, () => {
  let haproxy: ChildProcess | undefined;
  afterEach(async () => {
    if (haproxy === undefined) return;
    const exited = once(haproxy, 'exit');
    haproxy.kill('SIGTERM');
    await exited;
  });

  it('uses a new certificate under load, and no request fails', async () => {
    const program = await start({
      DATABRAIN_API_KEY: apiKey,
      RATE_LIMIT_ADDRESS_MAX: '100000',
      RATE_LIMIT_USER_MAX: '100000',
    });
    const port = await freePort();
    put('site.pem', selfSigned.cert + selfSigned.key);
    put(
      'haproxy.cfg',
      `global\n  hard-stop-after 5s\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s
  option http-buffer-request\n  retries 2\n  retry-on conn-failure empty-response
frontend tls\n  bind 127.0.0.1:${port} ssl crt ${folder}/site.pem\n  default_backend proxy
backend proxy\n  server one 127.0.0.1:${program.port}\n`,
    );
    haproxy = spawn('haproxy', ['-W', '-db', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' });

    /** One request on a separate connection: its status or error, and the certificate's fingerprint. */
    const send = (): Promise<{ readonly status: number | string; readonly certificate?: string }> =>
      new Promise((resolve) => {
        let certificate: string | undefined;
        const call = request(
          {
            host: '127.0.0.1',
            port,
            method: 'POST',
            path: '/guest-token',
            headers: bearer('u1'),
            agent: false,
            rejectUnauthorized: false,
          },
          (answer) => {
            answer.resume();
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, ...(certificate && { certificate }) }));
          },
        );
        call.on('socket', (socket) =>
          socket.once('secureConnect', () => (certificate = (socket as TLSSocket).getPeerCertificate().fingerprint256)),
        );
        call.on('error', (error: NodeJS.ErrnoException) => resolve({ status: error.code ?? 'failed' }));
        call.end();
      });
    await expect.poll(async () => (await send()).status, { timeout: 10_000 }).toBe(200);
    const { certificate: before } = await send();

    put('site.pem', otherSelfSigned.cert + otherSelfSigned.key);
    haproxy.kill('SIGUSR2');
    const answers = [await send()];
    while (answers.at(-1)?.certificate === before && answers.length < 2_000) answers.push(await send());
    for (let i = 0; i < 20; i += 1) answers.push(await send());
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers.at(-1)?.certificate).not.toBe(before);
  });
});
