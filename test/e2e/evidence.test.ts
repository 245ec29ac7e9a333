// The audit log as evidence: the lines of the running program match their published schema, and the queries of
// docs/operating/evidence.md work on the program's log.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { errorCodes } from '../../src/errors.ts';
import { reasons } from '../../src/refusal-reasons.ts';
import { auditLineProblems, auditLineSchema } from '../support/audit-lines.ts';
import { programPath } from '../support/programs/program-path.ts';
import { startProgram, type LogLine } from '../support/programs/program.ts';
import { signToken } from '../support/sign-token.ts';
import { needs } from '../support/vitest/needs.ts';
import { salesPolicy as policy } from '../support/sales-policy.ts';

const apiKey = '0d4b1c5a-91f7-4e0e-a8f4-0c4f5b6d7e81';
const secret = 'the secret of the evidence tests, at least 32 bytes'.replace(',', '');

const hasJq = spawnSync('jq', ['--version']).status === 0;
if (!hasJq && process.env['TEST_REQUIRE_ALL'] === '1') throw new Error('jq is not installed');

const folder = mkdtempSync(join(tmpdir(), 'guest-token-evidence-'));
let databrain: SimulatedDatabrain;
let lines: readonly LogLine[] = [];
let adasToken = '';

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  const program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: 'https://issuer.example',
      JWT_AUDIENCE: 'guest-token',
      JWT_SECRET: secret,
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
      RATE_LIMIT_ADDRESS_MAX: '7',
    },
    files: { 'policy.yaml': policy },
  });
  const sendAs = async (claims: object): Promise<string> => {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const token = signToken('HS256', secret, { iss: 'https://issuer.example', aud: 'guest-token', exp, ...claims });
    return (await program.send({ headers: { authorization: `Bearer ${token}` } })).text;
  };
  adasToken = (JSON.parse(await sendAs({ sub: 'ada', org_id: 'acme' })) as { token: string }).token;
  await sendAs({ sub: 'ada', org_id: 'acme' });
  await sendAs({ sub: 17, org_id: 'acme' });
  await sendAs({ sub: 'eve', org_id: 'other' });
  await sendAs({ sub: 'no-tenant' });
  await program.send();
  await program.send({ method: 'GET' });
  for (let i = 0; i < 2; i += 1) await program.send();
  expect(await program.stop()).toBe(0);
  lines = program.lines();
});
afterAll(async () => {
  await databrain.close();
  rmSync(folder, { recursive: true });
});

describe('the audit lines of the running program', () => {
  it('match the schema, issued and refused', () => {
    const audit = lines.filter(({ event }) => event !== undefined);
    expect(audit.filter(({ event }) => event === 'guest_token.issued')).toHaveLength(4);
    expect(audit.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['expression_failed', 'credentials_missing', 'method', 'address_limit']),
    );
    for (const line of audit) expect(auditLineProblems(line), JSON.stringify(line)).toEqual([]);
  });

  it('are the only lines with an event', () => {
    for (const line of lines.filter(({ event }) => event === undefined))
      expect(auditLineProblems(line)).not.toEqual([]);
  });
});

describe('the schema', () => {
  it('contains every code and every reason of the program, describes each member and allows no other', () => {
    const [issued, refused] = auditLineSchema.oneOf;
    expect(refused?.properties['code']?.enum).toEqual(errorCodes);
    expect(refused?.properties['reason']?.enum).toEqual(reasons);
    for (const variant of [issued, refused]) {
      expect(variant?.additionalProperties).toBe(false);
      const { event, ...others } = variant?.properties ?? {};
      expect(event).toBeDefined();
      for (const [name, { description }] of Object.entries(others)) expect(description, name).toMatch(/\.$/);
    }
  });
});

describe.skipIf(!hasJq)(`the queries in the handbook${needs(hasJq, 'jq')}`, () => {
  const page = readFileSync('docs/operating/evidence.md', 'utf8');

  /** Runs the shell lines of the handbook that contain these words, on a log. */
  function run(words: string, log: readonly object[], env: Readonly<Record<string, string>> = {}): readonly string[] {
    const block = [...page.matchAll(/```sh\n([^]*?)```/g)]
      .map(([, text = '']) => text)
      .find((text) => text.includes(words));
    writeFileSync(join(folder, 'proxy.log'), `not JSON\n${log.map((line) => JSON.stringify(line)).join('\n')}\n`);
    const ran = spawnSync('bash', ['--norc', '-c', block ?? 'exit 9'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...env },
    });
    expect(ran.stderr).toBe('');
    return ran.stdout
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '');
  }

  const dayMs = 86_400_000;
  const midnight = Math.floor(Date.now() / dayMs) * dayMs;
  /** Log lines of the program with this time, about tokens with one hour left. */
  const at = (time: number): readonly LogLine[] =>
    lines.map((line) => ({ ...line, time: new Date(time).toISOString(), expiresInSeconds: 3600 }));

  it('list who saw a tenant yesterday', () => {
    const noon = midnight - dayMs / 2;
    expect(run('--arg tenant', at(noon))).toEqual([
      ['https://issuer.example', '17', 'sales-dashboard', '1', iso(noon), iso(noon + 3_600_000)].join('\t'),
      ['https://issuer.example', 'ada', 'sales-dashboard', '2', iso(noon), iso(noon + 3_600_000)].join('\t'),
    ]);
  });

  it('count a token of the evening before, but not an older one or one of today', () => {
    const eveningBefore = midnight - dayMs - 1_800_000;
    expect(run('--arg tenant', at(eveningBefore))).toHaveLength(2);
    expect(run('--arg tenant', at(midnight - dayMs - 3_600_000))).toEqual([]);
    expect(run('--arg tenant', at(midnight))).toEqual([]);
  });

  it('find the user of a leaked token', () => {
    const found = run('--arg hash', lines, { TOKEN: adasToken });
    expect(found).toHaveLength(2);
    expect(found[0]).toContain('\thttps://issuer.example\tada\tacme\t');
    expect(JSON.stringify(lines)).toContain(createHash('sha256').update(adasToken).digest('hex').slice(0, 16));
  });
});

/** The time in jq's format: without milliseconds. */
const iso = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z');
