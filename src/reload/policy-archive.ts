// Archives every applied policy under the SHA-256 of its text, so that the policyRevision of an audit line identifies
// the policy that decided. Bounded in number, size and time. Shadow policies are not archived.
import { hash, randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Problem, systemErrorCode } from '../problem.ts';

export interface PolicyArchive {
  /**
   * Archives the text of a policy before it is used, unless it is archived already. Resolves to the number of removed
   * policies. Rejects with an Error with a `code`; then the policy must not be used.
   */
  readonly keep: (text: string) => Promise<number>;
  /** Writes and removes a file, as `keep` would. Rejects as `keep` does. */
  readonly probe: () => Promise<void>;
}

interface PolicyArchiveOptions {
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Only tests set these. */
  readonly maxPolicies?: number;
  readonly maxBytes?: number;
  readonly timeLimitMs?: number;
}

const archived = /^[0-9a-f]{64}\.yaml$/;
const unfinished = /^\.[0-9a-f-]{36}\.tmp$/;

/** A process that is killed while it writes leaves a temporary file, which is removed after this time. */
const unfinishedForMs = 3_600_000;

const unwritable = (code: string): Error => Object.assign(new Error(code), { code });

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Another replica may have removed the same file. */
async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Written completely, readable by owner and group, and synced to disk before it gets its name. */
async function write(folder: string, content: string, name?: string): Promise<void> {
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o640);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (name !== undefined) await rename(temporary, join(folder, name));
  } finally {
    await remove(temporary);
  }
}

interface Entry {
  readonly path: string;
  readonly usedMs: number;
  readonly bytes: number;
}

async function entriesOf(folder: string, pattern: RegExp): Promise<readonly Entry[]> {
  const names = (await readdir(folder)).filter((name) => pattern.test(name));
  const entries: Entry[] = [];
  for (const name of names) {
    const path = join(folder, name);
    try {
      const { mtimeMs, size } = await stat(path);
      entries.push({ path, usedMs: mtimeMs, bytes: size });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return entries;
}

/** Whether the policy is archived. Rejects if the file does not match its name: someone has changed it. */
async function isArchived(path: string, text: string): Promise<boolean> {
  try {
    if ((await readFile(path, 'utf8')) === text) return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  throw unwritable('EALTERED');
}

/** Creates the archive in an existing folder. Other files in it are not changed. */
export function createPolicyArchive(options: PolicyArchiveOptions): PolicyArchive {
  const { folder, now, maxPolicies = 1_000, maxBytes = 67_108_864, timeLimitMs = 5_000 } = options;
  let isBusy = false;

  /** Removes the least recently applied policies first, never the one just archived. */
  const prune = async (kept: string): Promise<number> => {
    for (const { path, usedMs } of await entriesOf(folder, unfinished)) {
      if (usedMs < now() - unfinishedForMs) await remove(path);
    }
    const others = (await entriesOf(folder, archived)).filter(({ path }) => path !== kept);
    let bytes = (await stat(kept)).size;
    let removed = 0;
    for (const [index, entry] of others.toSorted((a, b) => b.usedMs - a.usedMs).entries()) {
      bytes += entry.bytes;
      if (index + 1 < maxPolicies && bytes <= maxBytes) continue;
      await remove(entry.path);
      removed += 1;
    }
    return removed;
  };

  const keep = async (text: string): Promise<number> => {
    const name = `${hash('sha256', text)}.yaml`;
    const path = join(folder, name);
    if (!(await isArchived(path, text))) await write(folder, text, name);
    const usedAt = new Date(now());
    await utimes(path, usedAt, usedAt);
    return prune(path);
  };

  /** A network mount may hang: one operation at a time, each with a time limit. */
  const withinTime = <T>(work: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const noAnswer = unwritable(`no answer within ${timeLimitMs / 1000} s`);
      if (isBusy) {
        reject(noAnswer);
        return;
      }
      isBusy = true;
      const timer = setTimeout(() => reject(noAnswer), timeLimitMs);
      timer.unref();
      work()
        .finally(() => {
          clearTimeout(timer);
          isBusy = false;
        })
        .then(resolve, reject);
    });

  return { keep: (text) => withinTime(() => keep(text)), probe: () => withinTime(() => write(folder, '')) };
}

const fixes: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'Create the folder'],
  ['ENOTDIR', 'Name a folder'],
  ['ENOSPC', 'Make room on its disk'],
  ['EDQUOT', 'Make room in its quota'],
  ['EROFS', 'Mount it writable'],
  [
    'ERR_ACCESS_DENIED',
    'Start Node.js with --allow-fs-write for this folder; the image allows /var/lib/guest-token-proxy/policies',
  ],
  ['EALTERED', 'Find out who changed the file of this policy, and move it out of the folder'],
]);

/** Why a policy could not be archived, for the start, `check` and the log. */
export function archiveProblem(error: unknown): Problem {
  const code = systemErrorCode(error);
  return {
    location: 'POLICY_ARCHIVE_DIR',
    problem:
      code === 'EALTERED'
        ? 'contains a different text under the name of this policy'
        : `names a folder that policies cannot be kept in (${code})`,
    fix: fixes.get(code) ?? 'Give the user of the service read and write permission',
  };
}
