// Several issuers on the built program: each with its own keys, the issuer in the policy, files that change, and an
// issuer that starts after the service.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { json, startKeyServer, type KeyServer } from '../../support/servers/key-server.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { startProgram, type Program } from '../../support/programs/program.ts';
import { signToken } from '../../support/sign-token.ts';
import { until } from '../../support/until.ts';
import { salesPolicyWith } from '../../support/sales-policy.ts';

const apiKey = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13';
const policy = salesPolicyWith({
  clientId: `'\${claims.iss == "https://one.example" ? "one-" + claims.org : "two-" + claims.org}'`,
});
const secretOf = (name: string): string => `the secret of ${name} as long as it must be`;
const ecPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

let databrain: SimulatedDatabrain;
let program: Program | undefined;
let keyServer: KeyServer | undefined;

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
});
afterEach(async () => {
  await program?.stop();
  await keyServer?.close();
  program = keyServer = undefined;
});
afterAll(async () => {
  await databrain.close();
});

async function start(
  issuers: string,
  files: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUERS_FILE: 'issuers.yaml',
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
      ...env,
    },
    files: { 'policy.yaml': policy, 'issuers.yaml': issuers, ...files },
  });
  return program;
}

const claimsOf = (iss: string): Record<string, unknown> => ({
  iss,
  aud: 'me',
  sub: 'u1',
  org: 'acme',
  iat: Math.floor(Date.now() / 1000),
  exp: Math.floor(Date.now() / 1000) + 600,
});
const one = (secret: string): string => signToken('HS256', secret, claimsOf('https://one.example'));
const two = (secret: string): string => signToken('HS256', secret, claimsOf('https://two.example'));

const asking = async (running: Program, token: string): Promise<number> =>
  (await running.send({ headers: { authorization: `Bearer ${token}` } })).status;

const bySecretFiles = `- { issuer: https://one.example, audience: me, secretFile: s1 }
- { issuer: https://two.example, audience: me, secretFile: s2 }
`;

describe('several issuers', () => {
  it('are verified with their own keys, and the policy gets the issuer', async () => {
    const running = await start(bySecretFiles, { s1: secretOf('one'), s2: secretOf('two') });
    expect(await asking(running, one(secretOf('one')))).toBe(200);
    expect(await asking(running, two(secretOf('two')))).toBe(200);
    const clientIds = databrain.requests.slice(-2).map(({ body }) => (body as { clientId: string }).clientId);
    expect(clientIds).toEqual(['one-acme', 'two-acme']);
    expect(await asking(running, one(secretOf('two')))).toBe(401);
    expect(await asking(running, two(secretOf('one')))).toBe(401);
  });

  it('may exchange their secret files: a refused value is used once it is valid', async () => {
    const running = await start(bySecretFiles, { s1: secretOf('one'), s2: secretOf('two') });
    writeFileSync(join(running.folder, 's1'), secretOf('two'));
    await until(() => running.logged('secretFileRefused').length > 0, 8_000);
    expect(await asking(running, one(secretOf('one')))).toBe(200);

    writeFileSync(join(running.folder, 's2'), secretOf('three'));
    const reloads = (): number => running.logged('secretReloaded').length;
    await until(() => reloads() === 2, 12_000);
    expect(await asking(running, two(secretOf('three')))).toBe(200);
    expect(await asking(running, one(secretOf('two')))).toBe(200);
    expect(await asking(running, one(secretOf('one')))).toBe(401);
    expect(running.lines().filter(({ problem }) => problem !== undefined)).toHaveLength(1);
    expect(running.output()).not.toContain('the secret of t');
  });

  it('use a changed public key file', async () => {
    const [first, second] = [ecPair(), ecPair()];
    const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
    const running = await start('- { issuer: https://one.example, audience: me, publicKeyFile: key.pem }\n', {
      'key.pem': pem(first.publicKey),
    });
    const by = (key: KeyObject): string => signToken('ES256', key, claimsOf('https://one.example'));
    expect(await asking(running, by(first.privateKey))).toBe(200);
    writeFileSync(join(running.folder, 'key.pem'), pem(second.publicKey));
    await until(() => running.logged('secretReloaded').length > 0, 8_000);
    expect(await asking(running, by(second.privateKey))).toBe(200);
    expect(await asking(running, by(first.privateKey))).toBe(401);
  });

  it('may have separate limits for the lifetime of tokens', async () => {
    const running = await start(bySecretFiles.replace('secretFile: s1', 'secretFile: s1, maxLifetimeSeconds: 60'), {
      s1: secretOf('one'),
      s2: secretOf('two'),
    });
    expect(await asking(running, one(secretOf('one')))).toBe(401);
    expect(running.lines().at(-1)).toMatchObject({
      event: 'guest_token.refused',
      code: 'INVALID_TOKEN',
      reason: 'token_lifetime_too_long',
    });
    expect(await asking(running, two(secretOf('two')))).toBe(200);
  });
});

describe('an issuer whose keys are fetched', () => {
  it('may start after the service: its users get 503 until then, while others are served', async () => {
    const key = ecPair();
    keyServer = await startKeyServer();
    await keyServer.stop();
    const good = { ...key.publicKey.export({ format: 'jwk' }), kid: 'good' };
    const leaked = { ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid: 'leaked' };
    keyServer.on('/jwks', json({ keys: [leaked, good] }));
    const running = await start(
      `- { issuer: https://one.example, audience: me, jwksUrl: ${keyServer.url}/jwks }
- { issuer: https://two.example, audience: me, secretFile: s2 }
`,
      { s2: secretOf('two') },
    );
    const token = signToken('ES256', key.privateKey, claimsOf('https://one.example'), { kid: 'good' });
    expect(await asking(running, token)).toBe(503);
    expect(await asking(running, two(secretOf('two')))).toBe(200);
    expect(running.logged('keysNotFetched')).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        failure: 'unreachable',
      }),
    );

    await keyServer.restart();
    await until(() => running.logged('keysFetched').length > 0, 15_000);
    expect(await asking(running, token)).toBe(200);
    expect(running.logged('keysFetched')).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        iss: 'https://one.example',
        keys: 1,
        leftOut: [expect.stringMatching(/^key 1 \(kid leaked\) /)],
      }),
    );
    expect(running.output()).not.toContain(String(leaked.d));
    const { text } = await running.send({ method: 'GET', path: '/metrics', port: running.adminPort });
    expect(text).toMatch(/guest_token_key_set_fetches_total\{issuer="https:\/\/one\.example",result="fetched"\} 1\n/);
    expect(text).toMatch(
      /guest_token_key_set_fetches_total\{issuer="https:\/\/one\.example",result="unreachable"\} \d/,
    );
    expect(text).toMatch(/guest_token_key_set_age_seconds\{issuer="https:\/\/one\.example"\} [\d.]+\n/);
  });
});
