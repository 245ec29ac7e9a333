// Runs every example of docs/examples: no lint warnings, all tests pass, full coverage.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkCommand } from '../../src/commands/check.ts';
import { testCommand } from '../../src/commands/test.ts';
import { loadPolicyTests } from '../../src/policy/trial/policy-test-document.ts';
import { runCommand } from '../support/programs/run-command.ts';
import { nameLines } from '../support/sentences/name-sentence.ts';

const folder = fileURLToPath(new URL('../../docs/examples/', import.meta.url));
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const settings = {
  POLICY_FILE: 'policy.yaml',
  JWT_ISSUER: 'https://login.example.com',
  JWT_AUDIENCE: 'reports',
  JWT_SECRET: 'a secret of an example that is long enough',
  DATABRAIN_API_KEY: 'key-of-the-example',
  DATABRAIN_API_KEY_SALES: 'key-of-the-example-sales',
  DATABRAIN_API_KEY_FINANCE: 'key-of-the-example-finance',
};

describe('the examples', () => {
  it('are listed in the guide', () => {
    const guide = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
    const named = [...guide.matchAll(/\(examples\/([a-z0-9-]+)\/\)/g)].map(([, name]) => name);
    expect(named.sort()).toEqual([...names].sort());
  });
});

describe("the demo's policy", () => {
  it('passes its tests, which cover every rule and branch', async () => {
    const cwd = fileURLToPath(new URL('../../demo/', import.meta.url));
    const { exitCode, out, err } = await runCommand(testCommand, ['--coverage-min', '100'], { cwd });
    expect(`${out}${err}`).not.toContain('✗');
    expect(exitCode).toBe(0);
  });
});

describe.each(names)('the example %s', (name) => {
  const cwd = `${folder}${name}`;
  const file = `${name}.policy-test.yaml`;

  it('has no lint warning', async () => {
    const { exitCode, out, err } = await runCommand(checkCommand, ['--strict'], { env: settings, cwd });
    expect(err).toBe('');
    expect(nameLines(out)[0]).toMatch(/^policyOk\(policy\.yaml, [0-9a-f]{12}, /);
    expect(exitCode).toBe(0);
  });

  it('passes its tests, which cover every rule and branch', async () => {
    const { exitCode, out, err } = await runCommand(testCommand, ['--coverage-min', '100'], { env: settings, cwd });
    expect(`${out}${err}`).not.toContain('✗');
    expect(err).toBe('');
    expect(out).toContain('Coverage 100 %');
    expect(exitCode).toBe(0);
  });

  it('has tests for a permit and for refusals', () => {
    const { tests } = loadPolicyTests({ text: readFileSync(`${cwd}/${file}`, 'utf8'), file });
    const kinds = tests.map(({ expectation }) => expectation.kind);
    expect(kinds).toContain('request');
    expect(kinds.filter((kind) => kind === 'denied').length).toBeGreaterThanOrEqual(2);
  });

  it('states its purpose', () => {
    expect(readFileSync(`${cwd}/README.md`, 'utf8')).toMatch(/^# \S/);
  });
});
