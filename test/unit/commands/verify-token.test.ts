// explain --verify and check --live against a real issuer: the difference, both values, and what to do.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { checkCommand } from '../../../src/commands/check.ts';
import { explainCommand } from '../../../src/commands/explain.ts';
import { json, startKeyServer, status, type KeyServer } from '../../support/servers/key-server.ts';
import { runCommand } from '../../support/programs/run-command.ts';
import { nameLines, sentenceOf } from '../../support/sentences/name-sentence.ts';
import { signToken } from '../../support/sign-token.ts';
import { salesPolicyWith } from '../../support/sales-policy.ts';

const apiKey = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const cwd = mkdtempSync(join(tmpdir(), 'verify-'));
const policy = salesPolicyWith({ clientId: '${claims.org}' });
writeFileSync(join(cwd, 'policy.yaml'), policy);
writeFileSync(join(cwd, 'other.yaml'), policy.replace('claims.org', 'claims.tenant'));

let issuer: KeyServer;
let databrain: SimulatedDatabrain;
let env: Record<string, string>;

beforeAll(async () => {
  issuer = await startKeyServer();
  databrain = await startSimulatedDatabrain({
    apiKeys: { 'sales-dashboard': apiKey },
    embeds: { 'sales-dashboard': [{ embedId: 'sales-overview', dashboardId: 'd', metricIds: [] }] },
  });
  const realm = `${issuer.url}/realms/main`;
  issuer.on(
    '/realms/main/.well-known/openid-configuration',
    json({ issuer: realm, jwks_uri: `${issuer.url}/realms/main/keys` }),
  );
  issuer.on('/realms/main/keys', json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'ES256' }] }));
  env = {
    JWT_ISSUER: realm,
    JWT_AUDIENCE: 'reports',
    DATABRAIN_API_KEY: apiKey,
    DATABRAIN_API_URL: databrain.url,
  };
});
afterAll(async () => {
  await issuer.close();
  await databrain.close();
});

const now = Math.floor(Date.now() / 1000);
const tokenOf = (claims: Record<string, unknown> = {}, key = privateKey): string =>
  signToken(
    'ES256',
    key,
    { iss: env['JWT_ISSUER'], aud: 'reports', sub: 'ada', org: 'acme', iat: now, exp: now + 600, ...claims },
    { kid: 'a' },
  );
const verify = (token: string, args: readonly string[] = []) =>
  runCommand(explainCommand, ['--token', '-', '--verify', ...args], { cwd, env, stdin: token, nowMs: Date.now() });

describe('explain --verify', () => {
  it('reports each check of a valid token, then explains the policy', async () => {
    const { exitCode, out, err } = await verify(tokenOf());
    expect(err).toBe('');
    expect(nameLines(out)[0]).toBe(`tokenVerified(ada, ${env['JWT_ISSUER'] ?? ''})`);
    expect(out).toContain('decision  permit');
    expect(exitCode).toBe(0);
    expect(databrain.requests.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('prints what differs, both values, and a hint for the provider', async () => {
    const { exitCode, out } = await verify(tokenOf({ aud: 'account' }));
    expect(exitCode).toBe(1);
    expect(out).toContain('Refused: INVALID_TOKEN (audience_refused)');
    expect(nameLines(out)).toEqual(expect.arrayContaining(['tokenHas(account)', 'tokenAccepted(reports)']));
    expect(out).toContain(`Hint: ${sentenceOf('audienceMapper')}`);
    expect(out).not.toContain('decision');
  });

  it.each([
    ['another key', () => tokenOf({}, other.privateKey), 'signature_invalid'],
    ['another issuer', () => tokenOf({ iss: `${env['JWT_ISSUER'] ?? ''}/` }), 'issuer_refused'],
    ['an opaque token', () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0', 'token_malformed'],
    ['an expired token', () => tokenOf({ iat: now - 7200, exp: now - 3600 }), 'token_expired'],
  ])('refuses %s, with cause and fix', async (_title, token, reason) => {
    const { exitCode, out } = await verify(token());
    expect(exitCode).toBe(1);
    expect(out).toContain(`(${reason})`);
    expect(out).toMatch(/^Cause: .+$/m);
    expect(out).toMatch(/^Fix: .+$/m);
  });

  it('prints the times of a refused token and the clock', async () => {
    const { out } = await verify(tokenOf({ iat: now - 7200, exp: now - 3600 }));
    const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
    const lines = nameLines(out);
    expect(lines).toContain(`tokenHas(iat ${iso(now - 7200)}, exp ${iso(now - 3600)})`);
    expect(lines.filter((line) => /^clockSays\(\d{4}-\d\d-\d\dT/.test(line))).toHaveLength(1);
  });

  it('lists the available keys when the token names another one', async () => {
    const { out } = await verify(
      signToken(
        'ES256',
        privateKey,
        { iss: env['JWT_ISSUER'], aud: 'reports', sub: 'ada', exp: now + 600 },
        { kid: 'b' },
      ),
    );
    const lines = nameLines(out);
    expect(lines.slice(lines.indexOf('tokenHas(b)')).slice(0, 2)).toEqual(['tokenHas(b)', 'tokenAccepted(a)']);
  });

  it('prints the same facts as JSON', async () => {
    const refused = await verify(tokenOf({ aud: 'account' }), ['--json']);
    expect(JSON.parse(refused.out)).toMatchObject({ verified: false, refusal: { reason: 'audience_refused' } });
    expect(JSON.parse((await verify(tokenOf(), ['--json'])).out)).toMatchObject({ verified: true, decision: 'permit' });
  });

  it('needs a token, and the settings of the service', async () => {
    const args = ['--claims', '{}', '--verify'];
    expect(await runCommand(explainCommand, args, { cwd, env })).toMatchObject({ exitCode: 64 });
    const without = await runCommand(explainCommand, ['--token', '-', '--verify'], { cwd, stdin: tokenOf() });
    expect(without.exitCode).toBe(78);
    expect(without.err).toContain('JWT_ISSUER: ');
  });
});

describe('explain --token', () => {
  it('states in its first line that nothing was verified', async () => {
    writeFileSync(join(cwd, 'token'), `${tokenOf({}, other.privateKey)}\n`);
    const { exitCode, out } = await runCommand(explainCommand, ['--token', 'token'], { cwd });
    expect(exitCode).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^NOT VERIFIED: /);
  });

  it('uses the policy of --policy', async () => {
    const { out } = await runCommand(
      explainCommand,
      ['--claims', '{"tenant":"globex"}', '--policy', 'other.yaml', '--json'],
      { cwd },
    );
    expect(JSON.parse(out)).toMatchObject({ body: { clientId: 'globex' } });
  });
});

describe('check --live', () => {
  const check = (more: Record<string, string> = {}) =>
    runCommand(checkCommand, ['--live'], { cwd, env: { ...env, ...more } });

  it('fetches the metadata and keys of the issuer', async () => {
    const { exitCode, out, err } = await check();
    expect(err).toBe('');
    expect(nameLines(out)).toContain(`keysFetched(${env['JWT_ISSUER'] ?? ''}, 1 key)`);
    expect(exitCode).toBe(0);
  });

  it('prints both issuers if they differ by a slash', async () => {
    const realm = env['JWT_ISSUER'] ?? '';
    const { exitCode, err } = await check({ JWT_ISSUER: `${realm}/` });
    expect(exitCode).toBe(1);
    expect(err).toContain('issuer_mismatch');
    expect(err).toContain(`received ${realm}, expected ${realm}/`);
  });

  it.each([
    [
      'a misspelt realm',
      () => ({ JWT_ISSUER: `${issuer.url}/realms/mian` }),
      'status',
      sentenceOf('httpStatus', '404'),
    ],
    ['an address where no server listens', () => ({ JWT_ISSUER: 'http://127.0.0.1:1' }), 'unreachable', 'ECONNREFUSED'],
    [
      'a wrong key set address',
      () => ({ JWT_JWKS_URL: `${issuer.url}/gone` }),
      'status',
      sentenceOf('httpStatus', '410'),
    ],
  ])('prints the result for %s', async (_title, more, failure, fact) => {
    issuer.on('/gone', status(410));
    const { exitCode, err } = await check(more());
    expect(exitCode).toBe(1);
    expect(err).toContain(`: ${sentenceOf('keysNotFetched', failure, '')}`);
    expect(err).toContain(fact);
    expect(err).toMatch(/^[^\n]+\. (Check|Compare) [^\n]+\.\n$/);
  });

  it('uses the policy of --policy', async () => {
    const { exitCode, err } = await runCommand(checkCommand, ['--policy', 'nowhere.yaml'], { cwd, env });
    expect(exitCode).toBe(78);
    expect(err).toMatch(/^nowhere\.yaml: .*\(ENOENT\).*\n$/);
    const verified = await verify(tokenOf(), ['--policy', 'nowhere.yaml']);
    expect([verified.exitCode, verified.err]).toEqual([78, err]);
  });
});
