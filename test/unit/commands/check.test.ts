import { randomUUID } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { checkCommand } from '../../../src/commands/check.ts';
import { runCommand } from '../../support/programs/run-command.ts';
import { nameLines, sentenceOf } from '../../support/sentences/name-sentence.ts';

const salesKey = randomUUID();
const financeKey = randomUUID();
const jwtSecret = 'a secret of the tests that is long enough for HS256';

const settings = {
  JWT_ISSUER: 'https://login.example.com',
  JWT_AUDIENCE: 'reports',
  JWT_SECRET: jwtSecret,
  DATABRAIN_API_KEY: salesKey,
  DATABRAIN_API_KEY_FINANCE: financeKey,
};

interface PolicyParts {
  readonly embeds?: string;
  readonly dashboard?: string;
  readonly financeEmbeds?: string;
  readonly financeKey?: string;
  readonly expiresIn?: string;
}

const policyText = ({
  embeds = '[sales-overview]',
  dashboard = 'overview',
  financeEmbeds = '[finance-overview]',
  financeKey: apiKey = 'FINANCE',
  expiresIn = '1h',
}: PolicyParts = {}): string => `version: 1
dataApps:
  sales:
    default: true
    expiresIn: ${expiresIn}
    request:
      clientId: \${claims.org}
      params:
        allowedEmbeds: ${embeds}
        dashboardAppFilters:
          - dashboardId: ${dashboard}
            isShowOnUrl: false
            values: { region: "\${claims.region}" }
  finance:
    apiKey: ${apiKey}
    expiresIn: 1h
    request: { clientId: "\${claims.org}", params: { allowedEmbeds: ${financeEmbeds} } }
`;

/** Runs check on a policy, and asserts that its output contains no secret. */
async function check(
  policy: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string | undefined>> = {},
  files: Readonly<Record<string, string>> = {},
) {
  const cwd = mkdtempSync(join(tmpdir(), 'check-'));
  for (const [name, text] of Object.entries({ 'policy.yaml': policy, ...files })) writeFileSync(join(cwd, name), text);
  const run = await runCommand(checkCommand, args, { cwd, env: { ...settings, ...env } });
  for (const secret of [salesKey, financeKey, jwtSecret]) expect(run.out + run.err).not.toContain(secret);
  return run;
}

describe('check', () => {
  it('prefers the policy of --policy to the setting', async () => {
    const files = { 'other.yaml': policyText({ expiresIn: '2h' }) };
    const { exitCode, out } = await check('broken', ['--policy', 'other.yaml'], {}, files);
    expect(nameLines(out)[0]).toMatch(/^policyOk\(other\.yaml, /);
    expect(exitCode).toBe(0);
  });

  it('reports success, and where each secret comes from', async () => {
    const { exitCode, out, err } = await check(policyText());
    expect(err).toBe('');
    const [first, ...others] = nameLines(out);
    expect(first).toMatch(/^policyOk\(policy\.yaml, [0-9a-f]{12}, 2 data apps, sales \(default\), finance\)$/);
    expect(others).toEqual(
      ['JWT_SECRET', 'DATABRAIN_API_KEY', 'DATABRAIN_API_KEY_FINANCE'].map(
        (name) => `secretReadFrom(${name}, the variable ${name})`,
      ),
    );
    expect(exitCode).toBe(0);
  });

  it('reports every problem of settings and policy at once, one line each, exit code 78', async () => {
    const { exitCode, out, err } = await check(policyText({ expiresIn: 'soon' }), [], {
      JWT_SECRET: 'short',
      PORT: 'http',
      DATABRAIN_TIMEOUT: '5',
    });
    expect(exitCode).toBe(78);
    expect(out).toBe('');
    const lines = err.trimEnd().split('\n');
    expect(lines.every((line) => /^\S+: .+\. .+\.$/.test(line))).toBe(true);
    for (const location of ['JWT_SECRET', 'PORT', 'DATABRAIN_TIMEOUT', 'policy.yaml:5:16']) {
      expect(lines.filter((line) => line.startsWith(`${location}: `))).toHaveLength(1);
    }
    expect(err).toContain('Did you mean DATABRAIN_TIMEOUT_MS');
  });

  it('reports a data app without a key', async () => {
    const { exitCode, err } = await check(policyText(), [], { DATABRAIN_API_KEY_FINANCE: undefined });
    expect(exitCode).toBe(78);
    expect(err).toContain('DATABRAIN_API_KEY_FINANCE');
  });

  it('prints warnings, and fails because of a warning only with --strict', async () => {
    const policy = policyText().replace('            isShowOnUrl: false\n', '');
    const relaxed = await check(policy);
    expect(relaxed.exitCode).toBe(0);
    expect(relaxed.err).toMatch(/^warning: policy\.yaml:11:13: .*isShowOnUrl.*\n$/);
    expect(nameLines(relaxed.out)[0]).toMatch(/^policyOk/);
    const strict = await check(policy, ['--strict']);
    expect(strict.exitCode).toBe(1);
    expect(strict.err).toMatch(/^policy\.yaml:11:13: .*isShowOnUrl.*\n$/);
    expect(strict.out).toBe('');
  });

  it('checks the shadow policy too', async () => {
    const shadow = { POLICY_SHADOW_FILE: 'next.yaml' };
    const fine = await check(policyText(), [], shadow, { 'next.yaml': policyText({ expiresIn: '2h' }) });
    expect(nameLines(fine.out)[1]).toMatch(/^policyOk\(next\.yaml, [0-9a-f]{12}, .* \(shadow\)\)$/);
    const broken = await check(policyText(), [], shadow, { 'next.yaml': 'version: 1' });
    expect(broken.exitCode).toBe(78);
    expect(broken.err).toContain('next.yaml:1:1: ');
    const loose = await check(policyText(), ['--strict'], shadow, {
      'next.yaml': policyText({ expiresIn: '24h' }) + extra,
    });
    expect(loose.exitCode).toBe(1);
    expect(loose.err).toMatch(/^next\.yaml:/);
  });

  it('runs the tests that a policy must pass before it is used', async () => {
    const tests = (expected: string) => ({
      'it.policy-test.yaml': `[{ name: a stranger, claims: {}, expect: { denied: ${expected} } }]`,
    });
    const env = { POLICY_TEST_FILES: 'it.policy-test.yaml' };
    expect((await check(policyText(), [], env, tests('expression_failed'))).exitCode).toBe(0);
    const failing = await check(policyText(), [], env, tests('client_id_refused'));
    expect(failing.exitCode).toBe(78);
    expect(failing.err).toMatch(
      new RegExp(`^it\\.policy-test\\.yaml:1:2: ${sentenceOf('testNotPassed', 'a stranger')}\\. `),
    );
    const broken = await check(policyText(), [], env, { 'it.policy-test.yaml': '[]' });
    expect(broken.exitCode).toBe(78);
    expect((await check(policyText(), [], { POLICY_TEST_FILES: 'gone.yaml' })).exitCode).toBe(78);
  });

  it('warns about an insecure setting', async () => {
    const { exitCode, err } = await check(policyText(), [], { INSECURE_JWT_ALLOW_MISSING_AUDIENCE: 'true' });
    expect(exitCode).toBe(0);
    expect(err).toContain('warning: INSECURE_JWT_ALLOW_MISSING_AUDIENCE: ');
  });

  it.each([[['--lively']], [['policy.yaml']]])('refuses %j with exit code 64', async (args) => {
    const { exitCode, err } = await check(policyText(), args);
    expect(exitCode).toBe(64);
    expect(err).toContain('--help');
  });
});

const extra = `  open:
    expiresIn: 1h
    request: { clientId: "\${claims.org}" }
`;

const atStart = (text: string): RegExp => new RegExp(`^${text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`);

describe('check --live', () => {
  let databrain: SimulatedDatabrain;
  let before = 0;

  beforeAll(async () => {
    databrain = await startSimulatedDatabrain({
      apiKeys: { sales: salesKey, finance: financeKey },
      embeds: {
        sales: [{ metricIds: [], embedId: 'sales-overview', dashboardId: 'overview' }],
        finance: [{ metricIds: [], embedId: 'finance-overview', dashboardId: 'finance' }],
      },
    });
  });
  afterAll(() => databrain.close());
  beforeEach(() => {
    before = databrain.requests.length;
  });

  const live = (parts: PolicyParts = {}, env: Readonly<Record<string, string | undefined>> = {}) =>
    check(policyText(parts), ['--live'], { DATABRAIN_API_URL: databrain.url, ...env });

  it('reports that keys, embeds and dashboards exist, with one request per data app, and mints nothing', async () => {
    const { exitCode, out, err } = await live();
    expect(err).toBe('');
    expect(exitCode).toBe(0);
    const lines = nameLines(out);
    expect(lines).toContain('keyWorks(sales, DATABRAIN_API_KEY, 2 ids)');
    expect(lines).toContain('keyWorks(finance, DATABRAIN_API_KEY_FINANCE, 1 id)');
    expect(databrain.requests.slice(before).map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v2/data-app/embeds',
      'GET /api/v2/data-app/embeds',
    ]);
  });

  it('sends no request without --live', async () => {
    await check(policyText(), [], { DATABRAIN_API_URL: databrain.url });
    expect(databrain.requests).toHaveLength(before);
  });

  it.each([
    [
      'a refused key',
      {},
      { DATABRAIN_API_KEY: randomUUID() },
      atStart(`DATABRAIN_API_KEY: ${sentenceOf('keyRefused', '401')}. `),
    ],
    [
      'the key of another data app',
      { financeEmbeds: '[sales-overview]' },
      { DATABRAIN_API_KEY_FINANCE: salesKey },
      /^policy\.yaml:14:3: .*DATABRAIN_API_KEY_FINANCE.*"[^"]+".*"finance"/,
    ],
    [
      'an unknown embed',
      { embeds: '[sales-overviw]' },
      {},
      /^policy\.yaml:9:25: .*"sales-overviw".* sales-overview\.$/m,
    ],
    [
      'a dashboard id among the embeds',
      { embeds: '[overview]' },
      {},
      atStart(`policy.yaml:9:25: ${sentenceOf('dashboardForEmbed', 'overview')}. `),
    ],
    [
      'an embed id as dashboard',
      { dashboard: 'sales-overview' },
      {},
      atStart(`policy.yaml:11:26: ${sentenceOf('embedForDashboard', 'sales-overview')}. `),
    ],
    ['the embed of another data app', { embeds: '[finance-overview]' }, {}, /^policy\.yaml:9:25: .*"finance-overview"/],
  ])('reports %s, with exit code 1', async (_title, parts, env, line) => {
    const { exitCode, out, err } = await live(parts, env);
    expect(err).toMatch(line);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(nameLines(out).filter((line) => line.startsWith('policyOk'))).toEqual([]);
    expect(exitCode).toBe(1);
  });

  it('reports the address once if the server there is not Databrain', async () => {
    const { exitCode, err } = await live({}, { DATABRAIN_API_URL: `${databrain.url}/elsewhere` });
    expect(exitCode).toBe(1);
    expect(err.split('\n')).toEqual([
      expect.stringMatching(atStart(`DATABRAIN_API_URL: ${sentenceOf('notDatabrain')}. `)),
      '',
    ]);
  });

  it('checks the other parts of a policy whose ids depend on claims', async () => {
    const { exitCode, out } = await live({ embeds: '"${claims.embeds}"' });
    expect(exitCode).toBe(0);
    expect(nameLines(out)).toContain('keyWorks(sales, DATABRAIN_API_KEY, 1 id)');
  });
});
