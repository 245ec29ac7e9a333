import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testCommand } from '../../../src/commands/test.ts';
import { runCommand } from '../../support/programs/run-command.ts';
import { nameLines, sentenceOf } from '../../support/sentences/name-sentence.ts';

const policy = `version: 1
dataApps:
  sales:
    default: true
    validations:
      - { expression: claims.verified == true, message: Verify first. }
    expiresIn: 1h
    request: { clientId: "\${claims.org}", params: { allowedEmbeds: [overview] } }
`;

const permit = `  - name: a member
    claims: { org: acme, verified: true }
    expect:
      request: { clientId: acme, dataAppName: sales, params: { allowedEmbeds: [overview] }, expiryTime: 3600000 }
`;
const refusal = `  - name: a stranger
    claims: { org: acme, verified: false }
    expect: { denied: validation_refused }
`;
const wrong = `  - name: a wrong hope
    claims: { org: acme, verified: false }
    expect: { denied: client_id_refused }
`;

function folder(files: Readonly<Record<string, string>>): string {
  const cwd = mkdtempSync(join(tmpdir(), 'policy-tests-'));
  mkdirSync(join(cwd, 'sub'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  return cwd;
}

const run = (files: Readonly<Record<string, string>>, args: readonly string[] = [], env: Record<string, string> = {}) =>
  runCommand(testCommand, args, { cwd: folder(files), env });

describe('test', () => {
  it('runs every test file next to the policy', async () => {
    const { exitCode, out, err } = await run({
      'policy.yaml': policy,
      'a.policy-test.yaml': `tests:\n${permit}`,
      'b.policy-test.yaml': `tests:\n${refusal}`,
      'other.yaml': 'not a test',
      'sub/c.policy-test.yaml': `tests:\n${wrong}`,
    });
    expect(err).toBe('');
    expect(exitCode).toBe(0);
    const [tested, first] = nameLines(out);
    expect(tested).toMatch(/^testsOfPolicy\(a\.policy-test\.yaml, policy\.yaml, [0-9a-f]{12}\)$/);
    expect(first).toBe('  ✓ a member');
    expect(out).toContain('  ✓ a stranger\n2 passed, 0 failed\nCoverage 100 % (3 of 3 outcomes)\n');
    expect(out).not.toContain('a wrong hope');
  });

  it('tests the policy of --policy instead of the policies that the test files name', async () => {
    const files = {
      'policy.yaml': 'not a policy',
      'new.yaml': policy,
      'a.policy-test.yaml': `policy: policy.yaml\ntests:\n${permit}${refusal}`,
    };
    const { exitCode, out } = await run(files, ['--policy', 'new.yaml']);
    expect(exitCode).toBe(0);
    expect(nameLines(out)[0]).toMatch(/^testsOfPolicy\(a\.policy-test\.yaml, new\.yaml, /);
    expect(out).toContain('2 passed, 0 failed');
    expect((await run(files)).exitCode).toBe(78);
  });

  it('searches next to the policy of POLICY_FILE', async () => {
    const files = { 'sub/policy.yaml': policy, 'sub/a.policy-test.yaml': `tests:\n${permit}${refusal}` };
    const { exitCode, out } = await run(files, [], { POLICY_FILE: 'sub/policy.yaml' });
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^sub\/a\.policy-test\.yaml/);
  });

  it('uses the policy that a test file names, relative to that file', async () => {
    const files = {
      'policy.yaml': 'broken: true',
      'mine.yaml': policy,
      'sub/a.policy-test.yaml': `policy: ../mine.yaml\ntests:\n${permit}${refusal}`,
    };
    const { exitCode, out } = await run(files, ['sub/a.policy-test.yaml']);
    expect(exitCode).toBe(0);
    expect(nameLines(out)[0]).toMatch(/^testsOfPolicy\(sub\/a\.policy-test\.yaml, mine\.yaml, /);
  });

  it('adds up the coverage of one policy over all its test files', async () => {
    const files = {
      'policy.yaml': policy,
      'a.policy-test.yaml': `tests:\n${permit}`,
      'b.policy-test.yaml': `policy: policy.yaml\ntests:\n${refusal}`,
    };
    const { out } = await run(files);
    expect(out.match(/Coverage/g)).toHaveLength(1);
    expect(out).toContain('Coverage 100 %');
  });

  it('exits with code 1 after a failed test, and prints what differs and where', async () => {
    const { exitCode, out } = await run({ 'policy.yaml': policy, 'a.policy-test.yaml': `tests:\n${permit}${wrong}` });
    expect(exitCode).toBe(1);
    expect(out).toContain('✗ a wrong hope  a.policy-test.yaml:6:5');
    expect(out).toContain('- "client_id_refused"');
    expect(out).toContain('+ "validation_refused"');
    expect(out).toContain('at policy.yaml:6:23');
    expect(out).toContain('1 passed, 1 failed');
  });

  it('reports what no test covers, and fails below --coverage-min', async () => {
    const files = { 'policy.yaml': policy, 'a.policy-test.yaml': `tests:\n${permit}` };
    const shown = await run(files);
    expect(shown.exitCode).toBe(0);
    expect(shown.out).toContain(
      `Coverage 66 % (2 of 3 outcomes)\n  policy.yaml:6:23: ${sentenceOf('validationNeverRefused', 'claims.verified == true')}\n`,
    );
    const { exitCode, err } = await run(files, ['--coverage-min', '67']);
    expect(exitCode).toBe(1);
    expect(nameLines(err)).toEqual(['coverageBelow(policy.yaml, 67)']);
    expect((await run(files, ['--coverage-min', '66'])).exitCode).toBe(0);
  });

  it('writes JUnit XML', async () => {
    const cwd = folder({ 'policy.yaml': policy, 'a.policy-test.yaml': `tests:\n${permit}${wrong}` });
    const { exitCode } = await runCommand(testCommand, ['--junit', 'sub/report.xml'], { cwd });
    expect(exitCode).toBe(1);
    const xml = readFileSync(join(cwd, 'sub/report.xml'), 'utf8');
    expect(xml).toContain('<testsuite name="a.policy-test.yaml" tests="2" failures="1"');
    expect(xml).toContain('<testcase name="a wrong hope"');
  });

  it('fails without any test', async () => {
    const { exitCode, err } = await run({ 'policy.yaml': policy });
    expect(exitCode).toBe(1);
    expect(nameLines(err)).toEqual(['nothingTested(policy.yaml)']);
  });

  it('reports the problems of all files at once with exit code 78, and runs no test', async () => {
    const { exitCode, out, err } = await run({
      'policy.yaml': 'version: 2\ndataApps: {}\n',
      'a.policy-test.yaml': `tests:\n${permit}`,
      'b.policy-test.yaml': 'tests:\n  - { nam: x, expect: denied }\n',
    });
    expect(exitCode).toBe(78);
    expect(out).toBe('');
    expect(err).toContain('policy.yaml:1:10: ');
    expect(err).toContain(`b.policy-test.yaml:2:7: ${sentenceOf('unknownTestKey', 'nam')}. `);
  });

  it('reports a problem of a policy once, even if several files use it', async () => {
    const { err } = await run({
      'policy.yaml': 'version: 2\ndataApps: { a: { expiresIn: 1h, request: { clientId: a } } }\n',
      'a.policy-test.yaml': `tests:\n${permit}`,
      'b.policy-test.yaml': `tests:\n${permit}`,
    });
    expect(err.match(/policy\.yaml:1:10/g)).toHaveLength(1);
  });

  it.each([
    ['a test file', ['nowhere.policy-test.yaml'], 'nowhere.policy-test.yaml: cannot be read (ENOENT).'],
    ['a policy', ['a.policy-test.yaml'], 'gone.yaml: cannot be read (ENOENT).'],
  ])('reports that %s does not exist', async (_title, args, line) => {
    const files = { 'policy.yaml': policy, 'a.policy-test.yaml': `policy: gone.yaml\ntests:\n${permit}` };
    const { exitCode, err } = await run(files, args);
    expect(exitCode).toBe(78);
    expect(err).toContain(line);
  });

  it('reports that the JUnit file cannot be written', async () => {
    const files = { 'policy.yaml': policy, 'a.policy-test.yaml': `tests:\n${permit}` };
    const { exitCode, err } = await run(files, ['--junit', 'nowhere/report.xml']);
    expect(exitCode).toBe(64);
    expect(nameLines(err)).toEqual(['junitNotWritten(ENOENT)']);
  });

  it.each([[['--coverage-min', '101']], [['--coverage-min', 'all']], [['--junit']], [['--unknown']]])(
    'refuses %j with exit code 64',
    async (args) => {
      const { exitCode, err } = await run({ 'policy.yaml': policy }, args);
      expect(exitCode).toBe(64);
      expect(err).toContain('--help');
    },
  );
});
