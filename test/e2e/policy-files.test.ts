// Policy tests that must pass before a policy is used, the archive of policies, and a shadow policy, on the built
// program.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import type { LogMessage } from '../support/sentences/log-messages.ts';
import { programPath } from '../support/programs/program-path.ts';
import { runProgram, startProgram, type LogLine, type Program } from '../support/programs/program.ts';
import { until } from '../support/until.ts';
import { salesPolicyWith } from '../support/sales-policy.ts';
import { apiKey, bearer, secret, settingsFor, startDatabrain } from '../support/programs/sales-service.ts';
import { sentenceOf } from '../support/sentences/name-sentence.ts';

const note = 'a-claim-value-that-stays-inside';

const policyFor = (identifier: string): string => salesPolicyWith({ userIdentifier: identifier });
const policyTests = `tests:
  - name: a viewer is identified by the subject
    claims: { sub: u1, org_id: acme }
    expect:
      request:
        clientId: acme
        dataAppName: sales-dashboard
        params: { userIdentifier: u1, allowedEmbeds: [sales-overview] }
        expiryTime: 3600000
`;

let databrain: SimulatedDatabrain;
let program: Program | undefined;

beforeAll(async () => {
  databrain = await startDatabrain();
});
afterEach(async () => {
  await program?.kill();
});
afterAll(async () => {
  await databrain.close();
});

async function start(
  env: Record<string, string>,
  files: Record<string, string>,
  nodeArgs: readonly string[] = [],
): Promise<Program> {
  program = await startProgram({
    path: programPath(),
    env: { ...settingsFor(databrain), TOKEN_REUSE: 'off', ...env },
    files,
    nodeArgs,
  });
  return program;
}

const requestAs = (running: Program, claims: object = {}) => running.send({ headers: bearer({ note, ...claims }) });

async function logged(running: Program, message: LogMessage): Promise<LogLine> {
  await until(() => running.logged(message).length > 0);
  return running.logged(message)[0] ?? expect.unreachable();
}

const metricsOf = async (running: Program): Promise<string> =>
  (await running.send({ method: 'GET', path: '/metrics', port: running.adminPort })).text;

describe('POLICY_TEST_FILES', () => {
  const env = { POLICY_TEST_FILES: 'sales.policy-test.yaml' };
  const files = { 'policy.yaml': policyFor('${claims.sub}'), 'sales.policy-test.yaml': policyTests };

  it('prevents the use of a policy that loads but fails its tests', async () => {
    const running = await start(env, files);
    writeFileSync(join(running.folder, 'policy.yaml'), policyFor('${claims.org_id}'));
    running.signal('SIGHUP');
    const line = await logged(running, 'policyRefused');
    expect(line['problem']).toContain('a viewer is identified by the subject');
    expect((await requestAs(running)).status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toMatchObject({ params: { userIdentifier: 'u1' } });
    expect(await metricsOf(running)).toContain('guest_token_policy_reloads_total{result="failed"} 1');
  });

  it('may be changed after the policy', async () => {
    const running = await start(env, files);
    writeFileSync(join(running.folder, 'policy.yaml'), policyFor('${claims.org_id}'));
    await logged(running, 'policyRefused');
    const tests = policyTests.replace('userIdentifier: u1', 'userIdentifier: acme');
    writeFileSync(join(running.folder, 'sales.policy-test.yaml'), tests);
    await logged(running, 'policyReloaded');
    expect((await requestAs(running)).status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toMatchObject({ params: { userIdentifier: 'acme' } });
    expect(running.logged('policyRefused')).toHaveLength(1);
  });

  it('prevents the start too', async () => {
    const failing = start(env, { ...files, 'policy.yaml': policyFor('someone-else') });
    const problem = sentenceOf('testNotPassed', 'a viewer is identified by the subject');
    await expect(failing).rejects.toThrow(new RegExp(`ended with 78: sales\\.policy-test\\.yaml:2:\\d+: ${problem}`));
  });
});

describe('POLICY_ARCHIVE_DIR', () => {
  let archive = '';
  beforeEach(() => {
    archive = mkdtempSync(join(tmpdir(), 'guest-token-archive-'));
  });
  afterEach(() => rmSync(archive, { recursive: true, force: true }));

  const env = () => ({ POLICY_ARCHIVE_DIR: archive });
  const claims = { sub: 'u1', org_id: 'acme', note };
  const archivedAs = (revision: unknown): string =>
    join(archive, readdirSync(archive).find((name) => name.startsWith(String(revision))) ?? 'nothing');

  it('proves with a log line, the archived policy and the claims which rights a token had, even after a change', async () => {
    // With the permissions of the image.
    const permissions = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${archive}/*`];
    const running = await start(env(), { 'policy.yaml': policyFor('${claims.sub}') }, permissions);
    expect((await requestAs(running)).status).toBe(200);
    const issued = (): readonly LogLine[] => running.lines().filter(({ event }) => event === 'guest_token.issued');
    await until(() => issued().length > 0);
    const line = issued()[0] ?? expect.unreachable();

    writeFileSync(join(running.folder, 'policy.yaml'), policyFor('${claims.org_id}'));
    await logged(running, 'policyReloaded');
    expect((await requestAs(running)).status).toBe(200);
    await running.stop();
    const last = issued().at(-1);

    expect(last?.['policyRevision']).not.toBe(line['policyRevision']);
    for (const { policyRevision, requestSha256 } of [line, last ?? {}] as readonly Record<string, unknown>[]) {
      const args = ['explain', '--policy', archivedAs(policyRevision), '--claims', JSON.stringify(claims)];
      const explained = await runProgram(programPath(), args, {});
      expect(explained.output).toContain(String(requestSha256));
      const { policy } = JSON.parse((await runProgram(programPath(), [...args, '--json'], {})).output) as {
        policy: { revision: string };
      };
      expect(policy.revision).toBe(policyRevision);
    }
  });

  it('prevents the use of a policy that cannot be stored, logs this, and uses the policy once it is stored', async () => {
    const running = await start(env(), { 'policy.yaml': policyFor('${claims.sub}') });
    rmSync(archive, { recursive: true });
    writeFileSync(join(running.folder, 'policy.yaml'), policyFor('${claims.org_id}'));
    const { problem } = await logged(running, 'policyRefused');
    expect(problem).toMatch(/^POLICY_ARCHIVE_DIR: .*\(ENOENT\)/);
    expect((await requestAs(running)).status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toMatchObject({ params: { userIdentifier: 'u1' } });
    expect(await metricsOf(running)).toContain('guest_token_policy_reloads_total{result="failed"} 1');

    mkdirSync(archive);
    const { policyRevision } = await logged(running, 'policyReloaded');
    expect(readFileSync(archivedAs(policyRevision), 'utf8')).toBe(policyFor('${claims.org_id}'));
    expect(running.logged('policyRefused')).toHaveLength(1);
  });

  it('stops the start, together with all other problems, if it cannot be written', async () => {
    const failing = start({ POLICY_ARCHIVE_DIR: join(archive, 'missing'), JWT_AUDIENCE: '' }, {});
    await expect(failing).rejects.toThrow(/ended with 78: [^]*POLICY_ARCHIVE_DIR: .*ENOENT.*\n/);
    await expect(failing).rejects.toThrow(/JWT_AUDIENCE/);
  });

  it('needs one permission of Node.js, for its folder only', async () => {
    const path = programPath();
    const settings = { JWT_SECRET: secret, JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'guest-token' };
    writeFileSync(join(archive, 'policy.yaml'), policyFor('${claims.sub}'));
    const check = (...flags: readonly string[]) =>
      spawnSync(process.execPath, ['--permission', '--allow-fs-read=*', ...flags, path, 'check'], {
        cwd: archive,
        env: { ...settings, DATABRAIN_API_KEY: apiKey, ...env() },
        encoding: 'utf8',
      });
    const refused = check();
    expect(refused.stderr).toMatch(/^POLICY_ARCHIVE_DIR: .*ERR_ACCESS_DENIED.*--allow-fs-write/m);
    expect(refused.status).toBe(78);
    const allowed = check(`--allow-fs-write=${archive}/*`);
    expect(`${allowed.stdout}${allowed.stderr}`).toContain('ok: policy.yaml');
    expect(readdirSync(archive)).toEqual(['policy.yaml']);
  });
});

describe('POLICY_SHADOW_FILE', () => {
  const env = { POLICY_SHADOW_FILE: 'shadow.yaml' };

  it('is compared by field path without values, and does not change what is sent', async () => {
    const running = await start(env, {
      'policy.yaml': policyFor('${claims.sub}'),
      'shadow.yaml': policyFor('${claims.note}'),
    });
    expect((await requestAs(running)).status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toMatchObject({ params: { userIdentifier: 'u1' } });
    const line = await logged(running, 'shadowDiffers');
    expect(line['differences']).toEqual([expect.objectContaining({ path: 'params.userIdentifier' })]);
    expect(running.output()).not.toContain(note);
    expect(await metricsOf(running)).toContain('guest_token_shadow_decisions_total{result="different"} 1');
  });

  it('does not affect a user whom it would refuse', async () => {
    const running = await start(env, {
      'policy.yaml': policyFor('${claims.sub}'),
      'shadow.yaml': policyFor('${claims.nowhere}'),
    });
    expect((await requestAs(running)).status).toBe(200);
    await logged(running, 'shadowDiffers');
    expect(running.lines().filter(({ event }) => event === 'guest_token.refused')).toEqual([]);
  });

  it('is counted as same if it decides the same', async () => {
    const running = await start(env, {
      'policy.yaml': policyFor('${claims.sub}'),
      'shadow.yaml': policyFor('"${claims.sub}" # the same'),
    });
    expect((await requestAs(running)).status).toBe(200);
    for (let i = 0; i < 100 && !(await metricsOf(running)).includes('result="same"} 1'); i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await metricsOf(running)).toContain('guest_token_shadow_decisions_total{result="same"} 1');
  });
});
