import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diffCommand } from '../../../src/commands/diff.ts';
import { runCommand } from '../../support/programs/run-command.ts';
import { nameLines } from '../../support/sentences/name-sentence.ts';

const policy = (embeds: string): string =>
  `version: 1\ndataApps: { s: { default: true, expiresIn: 1h, request: { clientId: "\${claims.org}", params: { allowedEmbeds: ${embeds} } } } }\n`;

const cwd = mkdtempSync(join(tmpdir(), 'diff-'));
const files = {
  'old.yaml': policy('[a]'),
  'new.yaml': policy('[a, b]'),
  'claims.json': '[{"org":"acme"},{"org":"globex"}]',
  'a.policy-test.yaml': 'tests: [{ name: a user of Acme, claims: { org: acme }, expect: denied }]\n',
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);

const run = (args: readonly string[], stdin = '') => runCommand(diffCommand, args, { cwd, stdin });
const both = ['--policy', 'old.yaml', '--with', 'new.yaml'];

describe('diff', () => {
  it('prints each field that differs, for each set of claims', async () => {
    const { exitCode, out, err } = await run([...both, '--claims', 'claims.json']);
    expect([exitCode, err]).toEqual([0, '']);
    expect(out).toContain('claims.json #2 (s)\n  wider     params.allowedEmbeds: ["a"] → ["a","b"]\n');
  });

  it.each([
    ['a file of policy tests', ['--claims', 'a.policy-test.yaml'], 1],
    ['a folder', ['--claims', '.'], 3],
    ['JSON', ['--claims', '{"org":"acme"}'], 1],
    ['standard input', ['--claims', '-'], 1],
    ['several sources', ['--claims', 'claims.json', '--claims', '{"org":"x"}'], 3],
  ])('reads claims from %s', async (_title, args, sets) => {
    const { out } = await run([...both, ...args, '--json'], '{"org":"acme"}');
    expect(JSON.parse(out)).toHaveLength(sets);
  });

  it('writes a Markdown table for a pull request', async () => {
    const { out } = await run([...both, '--claims', '{"org":"acme"}', '--markdown']);
    expect(out).toContain('| the claims | s | `params.allowedEmbeds` | `["a"]` | `["a","b"]` | **wider** |');
  });

  it('fails on wider access with --fail-on wider', async () => {
    const wider = [...both, '--claims', 'claims.json', '--fail-on', 'wider'];
    expect((await run(wider)).exitCode).toBe(1);
    const narrower = ['--policy', 'new.yaml', '--with', 'old.yaml', '--claims', 'claims.json', '--fail-on', 'wider'];
    expect((await run(narrower)).exitCode).toBe(0);
    const same = await run(['--policy', 'old.yaml', '--with', 'old.yaml', '--claims', 'claims.json']);
    expect(nameLines(same.out)).toEqual(['noDifference(2)']);
  });

  it('fails on undecided claims with --fail-on undecided', async () => {
    writeFileSync(join(cwd, 'other.yaml'), policy('[c]'));
    const args = ['--policy', 'old.yaml', '--with', 'other.yaml', '--claims', '{"org":"acme"}', '--fail-on'];
    expect((await run([...args, 'wider'])).exitCode).toBe(0);
    expect((await run([...args, 'changed'])).exitCode).toBe(1);
    expect((await run([...both, '--claims', '{"org":"acme"}', '--fail-on', 'changed'])).exitCode).toBe(1);
  });

  it('accepts the token presets of identity providers', async () => {
    writeFileSync(join(cwd, 'by-org.yaml'), policy('[a]').replace('claims.org', 'claims.org_id'));
    writeFileSync(join(cwd, 'by-org-new.yaml'), policy('[a, b]').replace('claims.org', 'claims.org_id'));
    const args = ['--policy', 'by-org.yaml', '--with', 'by-org-new.yaml', '--json', '--claims'];
    const names = async (claims: string) =>
      (JSON.parse((await run([...args, claims])).out) as { name: string }[]).map(({ name }) => name);
    expect(await names('preset:okta')).toEqual(['Okta']);
    expect(await names('presets')).toEqual(['a plain provider', 'Auth0', 'Firebase', 'Okta', 'Clerk']);
  });

  it.each([
    ['no policies', ['--claims', '{}'], 64],
    ['no claims', both, 64],
    ['two forms', [...both, '--claims', '{}', '--json', '--markdown'], 64],
    ['an unknown condition', [...both, '--claims', '{}', '--fail-on', 'narrower'], 64],
    ['an unknown preset', [...both, '--claims', 'preset:nobody'], 78],
    ['claims that are not an object', [...both, '--claims', '-'], 78],
    ['a missing policy file', ['--policy', 'old.yaml', '--with', 'gone.yaml', '--claims', '{}'], 78],
  ])('refuses %s', async (_title, args, code) => {
    const { exitCode, out, err } = await run(args, 'oops-secret');
    expect([exitCode, out]).toEqual([code, '']);
    expect(err).not.toContain('oops-secret');
  });
});
