// The archive of policies on a real file system: what it stores, under which name, what it removes, and what it
// refuses.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policyRevision } from '../../../src/policy/compile/load-policy.ts';
import { archiveProblem, createPolicyArchive } from '../../../src/reload/policy-archive.ts';
import { until } from '../../support/until.ts';

let folder = '';
let nowMs = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guest-token-archive-'));
  nowMs = Date.parse('2026-03-01T00:00:00Z');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = (): number => (nowMs += 1_000);
const names = (): readonly string[] => readdirSync(folder).sort();
const nameOf = (text: string): string => `${createHash('sha256').update(text).digest('hex')}.yaml`;

describe('the archive of policies', () => {
  it('stores the exact text under its SHA-256, which begins with the revision of the audit line', async () => {
    const text = 'version: 1 # ü\n';
    await createPolicyArchive({ folder, now }).keep(text);
    expect(names()).toEqual([nameOf(text)]);
    expect(nameOf(text).startsWith(policyRevision(text))).toBe(true);
    expect(readFileSync(join(folder, nameOf(text)), 'utf8')).toBe(text);
    const umask = process.umask();
    expect(statSync(join(folder, nameOf(text))).mode & 0o777).toBe(0o640 & ~umask);
  });

  it('stores a policy once, even if it is used again or several processes store it at the same time', async () => {
    const [one, other] = [createPolicyArchive({ folder, now }), createPolicyArchive({ folder, now })];
    await Promise.all([one.keep('a'), other.keep('a')]);
    await one.keep('a');
    expect(names()).toEqual([nameOf('a')]);
  });

  it('removes the policies that were used longest ago, never the newest', async () => {
    const archive = createPolicyArchive({ folder, now, maxPolicies: 2 });
    expect(await archive.keep('a')).toBe(0);
    expect(await archive.keep('b')).toBe(0);
    expect(await archive.keep('a')).toBe(0);
    expect(await archive.keep('c')).toBe(1);
    expect(names()).toEqual([nameOf('a'), nameOf('c')].sort());
  });

  it('is limited in bytes too', async () => {
    const archive = createPolicyArchive({ folder, now, maxBytes: 25 });
    for (const letter of ['a', 'b', 'c']) await archive.keep(letter.repeat(10));
    expect(names()).toEqual([nameOf('b'.repeat(10)), nameOf('c'.repeat(10))].sort());
    await archive.keep('d'.repeat(40));
    expect(names()).toEqual([nameOf('d'.repeat(40))]);
  });

  it('does not change other files, except incomplete files of a stopped process after an hour', async () => {
    const left = '.3f6b7f3e-54a5-4b0c-8a07-2b1c6a5f0e11.tmp';
    const fresh = '.3f6b7f3e-54a5-4b0c-8a07-2b1c6a5f0e12.tmp';
    for (const name of [left, fresh, 'notes.txt', 'policy.yaml']) writeFileSync(join(folder, name), 'x');
    const anHourAgo = new Date(nowMs - 3_700_000);
    for (const name of [left, 'notes.txt']) utimesSync(join(folder, name), anHourAgo, anHourAgo);
    utimesSync(join(folder, fresh), new Date(nowMs), new Date(nowMs));
    await createPolicyArchive({ folder, now, maxPolicies: 1 }).keep('a');
    expect(names()).toEqual([fresh, nameOf('a'), 'notes.txt', 'policy.yaml'].sort());
  });

  it('refuses a policy if its file has different contents, and does not change the file', async () => {
    const archive = createPolicyArchive({ folder, now });
    writeFileSync(join(folder, nameOf('a')), 'altered');
    await expect(archive.keep('a')).rejects.toMatchObject({ code: 'EALTERED' });
    expect(readFileSync(join(folder, nameOf('a')), 'utf8')).toBe('altered');
  });

  it.each([
    ['a missing folder', 'missing', 'ENOENT'],
    ['a file instead of the folder', 'file', 'ENOTDIR'],
  ])('refuses %s', async (_title, name, code) => {
    writeFileSync(join(folder, 'file'), '');
    const archive = createPolicyArchive({ folder: join(folder, name), now });
    await expect(archive.keep('a')).rejects.toMatchObject({ code });
    await expect(archive.probe()).rejects.toMatchObject({ code });
    const problem = archiveProblem(Object.assign(new Error(code), { code }));
    expect(problem).toMatchObject({ location: 'POLICY_ARCHIVE_DIR', problem: expect.stringContaining(code) as string });
  });

  it('leaves no file behind after a check', async () => {
    await createPolicyArchive({ folder, now }).probe();
    expect(names()).toEqual([]);
  });

  it('stops waiting for a file system that does not answer, and starts no other operation until it does', async () => {
    // Reading a FIFO waits for a writer, as a network mount waits for its server.
    const path = join(folder, nameOf('a'));
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const archive = createPolicyArchive({ folder, now, timeLimitMs: 100 });
    await expect(archive.keep('a')).rejects.toMatchObject({ code: expect.stringContaining(' 0.1 s') as string });
    await expect(archive.keep('b')).rejects.toMatchObject({ code: expect.stringContaining(' 0.1 s') as string });
    expect(names()).toEqual([nameOf('a')]);
    writeFileSync(path, 'a');
    const isKept = (): Promise<boolean> =>
      archive.keep('b').then(
        () => true,
        () => false,
      );
    await until(isKept);
  });
});
