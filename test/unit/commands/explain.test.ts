import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { claimsOfToken, explainCommand } from '../../../src/commands/explain.ts';
import { runCommand } from '../../support/programs/run-command.ts';
import { sentenceOf } from '../../support/sentences/name-sentence.ts';

const cwd = mkdtempSync(join(tmpdir(), 'explain-'));
writeFileSync(
  join(cwd, 'policy.yaml'),
  `version: 1
dataApps:
  sales:
    default: true
    expiresIn: 2h
    request:
      clientId: \${claims.org}
      params: { allowedEmbeds: [overview] }
`,
);
writeFileSync(join(cwd, 'claims.json'), '{"org":"acme"}');
writeFileSync(
  join(cwd, 'broken.yaml'),
  'version: 1\ndataApps: { sales: { expiresIn: 1h, request: { clientID: a } } }\n',
);

const run = (args: readonly string[], more: Parameters<typeof runCommand>[2] = {}) =>
  runCommand(explainCommand, args, { cwd, ...more });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (claims: unknown): string => `${encode({ alg: 'HS256' })}.${encode(claims)}.c2lnbmF0dXJl`;

describe('explain', () => {
  it.each([
    ['JSON', ['--claims', '{"org":"acme"}'], {}],
    ['a file', ['--claims', 'claims.json'], {}],
    ['standard input', ['--claims', '-'], { stdin: '{"org":"acme"}' }],
    ['a JWT', ['--token', jwt({ org: 'acme' })], {}],
    ['a JWT with its scheme', ['--token', `Bearer ${jwt({ org: 'acme' })}\n`], {}],
  ])('reads the claims from %s', async (_title, args, more) => {
    const { exitCode, out, err } = await run([...args, '--json'], more);
    expect(err).toBe('');
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ decision: 'permit', body: { clientId: 'acme', expiryTime: 7_200_000 } });
  });

  it('needs only the policy file, and no other setting', async () => {
    const { exitCode, out } = await run(['--claims', 'claims.json'], {
      env: { POLICY_FILE: join(cwd, 'policy.yaml') },
    });
    expect(exitCode).toBe(0);
    expect(out).toContain('decision  permit');
    expect(out).toContain('${claims.org}');
  });

  it('prefers the policy of --policy to the setting', async () => {
    const { exitCode, out } = await run(['--claims', 'claims.json', '--policy', 'policy.yaml'], {
      env: { POLICY_FILE: 'nowhere.yaml' },
    });
    expect(exitCode).toBe(0);
    expect(out).toContain('decision  permit');
    const other = await run(['--claims', '{}', '--policy', 'nowhere.yaml']);
    expect(other.exitCode).toBe(78);
    expect(other.err).toMatch(/^nowhere\.yaml: .*\(ENOENT\)/);
  });

  it('prints the claims that the refusing rule read', async () => {
    const { out } = await run(['--claims', '{"org":"a b"}']);
    expect(out).toMatch(/reads +org = "a b"/);
  });

  it('explains a refusal with exit code 0', async () => {
    const { exitCode, out } = await run(['--claims', '{}']);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/refused +ACCESS_DENIED \(expression_failed\)/);
    expect(out).toMatch(/location +policy\.yaml:7:17/);
    expect(out).toMatch(/claim +org/);
  });

  it('explains the named data app', async () => {
    const { out } = await run(['--claims', '{"org":"acme"}', '--data-app', 'hr', '--json']);
    expect(JSON.parse(out)).toMatchObject({ decision: 'deny', denial: { reason: 'data_app_unknown' } });
  });

  it('applies TOKEN_MAX_LIFETIME_SECONDS', async () => {
    const { exitCode, err } = await run(['--claims', '{}'], { env: { TOKEN_MAX_LIFETIME_SECONDS: '3600' } });
    expect(exitCode).toBe(78);
    expect(err).toMatch(/^policy\.yaml:5:16: expiresIn is 2h/);
  });

  it('notes an expired access token', async () => {
    const { exitCode, err } = await run(['--token', jwt({ org: 'acme', exp: 1_767_225_599 })]);
    expect(exitCode).toBe(0);
    expect(err).toBe(`${sentenceOf('tokenExpired')}\n`);
    expect((await run(['--token', jwt({ org: 'acme', exp: 1_767_225_601 })])).err).toBe('');
  });

  it.each([
    ['neither claims nor token', []],
    ['both', ['--claims', '{}', '--token', jwt({})]],
    ['an unknown option', ['--claim', '{}']],
    ['a stray word', ['claims.json']],
    ['claims that are not JSON', ['--claims', '{oops-secret']],
    ['claims that are a list', ['--claims', '-']],
    ['a missing file', ['--claims', 'nowhere.json']],
    ['a token that is not a JWT', ['--token', 'oops-secret']],
    ['a token with a list as payload', ['--token', `a.${encode([1])}.b`]],
    ['a token whose payload is not JSON', ['--token', 'a.b29wcy1zZWNyZXQ.b']],
  ])('refuses %s with one line and exit code 64, without repeating the input', async (_title, args) => {
    const { exitCode, out, err } = await run(args, { stdin: '[]' });
    expect(exitCode).toBe(64);
    expect(out).toBe('');
    expect(err).toContain('--help');
    expect(err).not.toContain('oops-secret');
  });

  it('reports every problem of an invalid policy, with exit code 78', async () => {
    const { exitCode, out, err } = await run(['--claims', '{}'], { env: { POLICY_FILE: 'broken.yaml' } });
    expect(exitCode).toBe(78);
    expect(out).toBe('');
    expect(err).toMatch(/broken\.yaml:2:\d+: .*clientID.*[Dd]id you mean clientId/);
  });

  it('names the setting when no policy is set', async () => {
    const { exitCode, err } = await run(['--claims', '{}'], { env: { POLICY_FILE: 'nowhere.yaml' } });
    expect(exitCode).toBe(78);
    expect(err).toMatch(/^POLICY_FILE: .*\(ENOENT\).*\n$/);
  });

  it('prints help', async () => {
    const { exitCode, out } = await run(['--help']);
    expect(exitCode).toBe(0);
    expect(out).toBe(explainCommand.help);
    expect(out).toContain(sentenceOf('notVerified'));
  });
});

describe('the claims of an unverified token', () => {
  it('are parsed strictly', () => {
    expect(claimsOfToken(jwt({ sub: 'ü' }))).toEqual({ sub: 'ü' });
    const payload = encode({ sub: 'a' });
    const notUtf8 = Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]).toString('base64url');
    for (const token of [payload, `a.${payload}`, `a.${payload}.b.c.d`, `a.${notUtf8}.b`]) {
      expect(claimsOfToken(token)).toBe(sentenceOf('notJwt'));
    }
  });
});
