// The commands with a real process, real files and real exit codes.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../support/programs/program-path.ts';
import { nameLines } from '../support/sentences/name-sentence.ts';

const example = fileURLToPath(new URL('../../docs/examples/roles/', import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'commands-'));
for (const name of ['policy.yaml', 'roles.policy-test.yaml']) copyFileSync(join(example, name), join(cwd, name));

interface ProgramRun {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

function program(args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<ProgramRun> {
  const child = spawn(process.execPath, [programPath(), ...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, out, err }));
  });
}

const apiKey = randomUUID();
const settings = {
  JWT_ISSUER: 'https://login.example.com',
  JWT_AUDIENCE: 'reports',
  JWT_SECRET: 'a secret of the tests that is long enough for HS256',
  DATABRAIN_API_KEY: apiKey,
};

describe('the program', () => {
  it.each(['check', 'explain', 'test', 'diff', 'healthcheck', 'dev-token', 'serve'])(
    'explains %s with --help',
    async (name) => {
      const { exitCode, out, err } = await program([name, '--help']);
      expect(err).toBe('');
      expect(out).toMatch(new RegExp(`^Usage: guest-token-proxy ${name}`));
      expect(exitCode).toBe(0);
    },
  );

  it('refuses an unknown command', async () => {
    expect(await program(['explian'])).toMatchObject({ exitCode: 64, out: '' });
  });
});

describe('explain', () => {
  it('needs only the policy, and reads claims from standard input', async () => {
    const claims = JSON.stringify({ sub: 'user-17', tenant_id: 'acme', roles: ['editor'] });
    const { exitCode, out, err } = await program(['explain', '--claims', '-', '--json'], {}, claims);
    expect(err).toBe('');
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ decision: 'permit', body: { clientId: 'acme' } });
  });

  it('explains a refusal without colours', async () => {
    const { exitCode, out } = await program(['explain', '--claims', '{"sub":"user-17"}']);
    expect(exitCode).toBe(0);
    expect(out).toContain('ACCESS_DENIED (validation_refused)');
    expect(out).not.toContain('\u001b');
  });
});

describe('test', () => {
  it('runs the tests next to the policy and writes a report for CI', async () => {
    const { exitCode, out, err } = await program(['test', '--junit', 'report.xml', '--coverage-min', '100']);
    expect(err).toBe('');
    expect(out).toContain('7 passed, 0 failed\nCoverage 100 %');
    expect(exitCode).toBe(0);
    expect(readFileSync(join(cwd, 'report.xml'), 'utf8')).toContain('tests="7" failures="0"');
  });
});

describe('check', () => {
  let databrain: SimulatedDatabrain;
  beforeAll(async () => {
    databrain = await startSimulatedDatabrain({
      apiKeys: { analytics: apiKey },
      embeds: { analytics: [{ embedId: 'overview', dashboardId: 'main', metricIds: [] }] },
    });
  });
  afterAll(() => databrain.close());

  it('accepts valid settings, and calls Databrain with --live', async () => {
    const env = { ...settings, DATABRAIN_API_URL: databrain.url };
    const { exitCode, out, err } = await program(['check', '--strict', '--live'], env);
    expect(err).toBe('');
    const lines = nameLines(out);
    expect(lines.filter((line) => line.startsWith('keyWorks(analytics, DATABRAIN_API_KEY, '))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('policyOk'))).toEqual([
      expect.stringMatching(/^policyOk\(policy\.yaml, [0-9a-f]{12}, 1 data app, analytics \(default\)\)$/),
    ]);
    expect(exitCode).toBe(0);
    expect(databrain.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  it('reports missing settings with exit code 78', async () => {
    const { exitCode, out, err } = await program(['check']);
    expect(exitCode).toBe(78);
    expect(out).toBe('');
    expect(err).toMatch(/^JWT_ISSUER: /m);
    expect(err).toMatch(/^DATABRAIN_API_KEY: /m);
  });
});
