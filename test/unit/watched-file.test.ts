import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFileReader, type ReadFileAsync } from '../../src/file-reader.ts';
import { watchFile, type ReloadOutcome, type WatchedFile } from '../../src/watched-file.ts';

let folder: string;
let watched: WatchedFile | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watched-file-'));
});
afterEach(() => {
  watched?.close();
  rmSync(folder, { recursive: true, force: true });
});

function watch(
  path: string,
  initial: string,
  intervalMs = 3_600_000,
  isBad = (text: string): boolean => text === 'bad',
  readFile: ReadFileAsync = createFileReader(),
) {
  const accepted: string[] = [];
  const outcomes: Exclude<ReloadOutcome, { kind: 'unchanged' }>[] = [];
  watched = watchFile({
    path,
    readFile,
    initial: Buffer.from(initial),
    intervalMs,
    accept: (content) => {
      if (isBad(content.toString())) throw new Error('is bad');
      accepted.push(content.toString());
    },
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  return { accepted, outcomes, reload: watched.reload };
}

describe('a watched file', () => {
  it('passes changed content on once, and ignores unchanged content', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'one');
    const { accepted, reload } = watch(path, 'one');
    expect(await reload()).toEqual({ kind: 'unchanged' });
    writeFileSync(path, 'two');
    expect(await reload()).toEqual({ kind: 'changed' });
    expect(await reload()).toEqual({ kind: 'unchanged' });
    expect(accepted).toEqual(['two']);
  });

  it('reports bad content once, keeps the old content, and recovers', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'bad');
    const { accepted, outcomes, reload } = watch(path, 'one');
    expect(await reload()).toEqual({ kind: 'failed', problem: 'is bad' });
    expect(await reload()).toEqual({ kind: 'failed', problem: 'is bad' });
    expect(outcomes).toEqual([{ kind: 'failed', problem: 'is bad' }]);
    writeFileSync(path, 'one');
    expect(await reload()).toEqual({ kind: 'unchanged' });
    writeFileSync(path, 'three');
    expect(await reload()).toEqual({ kind: 'changed' });
    expect(accepted).toEqual(['three']);
  });

  it('checks refused content again only if its dependencies have changed', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'two');
    let taken = 'two';
    let examined = 0;
    const outcomes: ReloadOutcome[] = [];
    const accepted: string[] = [];
    const { reload } = (watched = watchFile({
      path,
      readFile: createFileReader(),
      initial: Buffer.from('one'),
      intervalMs: 3_600_000,
      dependsOn: async () => taken,
      accept: (content) => {
        examined += 1;
        if (content.toString() === taken) throw new Error('is taken');
        accepted.push(content.toString());
      },
      onOutcome: (outcome) => outcomes.push(outcome),
    }));
    for (let poll = 0; poll < 3; poll += 1) expect(await reload()).toEqual({ kind: 'failed', problem: 'is taken' });
    expect(examined).toBe(1);
    expect(await reload({ force: true })).toEqual({ kind: 'failed', problem: 'is taken' });
    expect(examined).toBe(2);
    taken = 'three';
    expect(await reload()).toEqual({ kind: 'changed' });
    expect(await reload()).toEqual({ kind: 'unchanged' });
    expect(outcomes).toEqual([{ kind: 'failed', problem: 'is taken' }, { kind: 'changed' }]);
    expect(accepted).toEqual(['two']);
  });

  it('remembers refused content while the file cannot be read', async () => {
    const path = join(folder, 'f');
    let examined = 0;
    const { reload, outcomes } = watch(path, 'one', 3_600_000, (text) => {
      examined += 1;
      return text === 'bad';
    });
    writeFileSync(path, 'bad');
    await reload();
    rmSync(path);
    expect(await reload()).toEqual({ kind: 'failed', problem: 'cannot be read (ENOENT)' });
    writeFileSync(path, 'bad');
    expect(await reload()).toEqual({ kind: 'failed', problem: 'is bad' });
    expect(examined).toBe(1);
    expect(outcomes).toHaveLength(3);
  });

  it('that hangs is reported once, starts no further reads, and is used when it answers again', async () => {
    let [reads, hangs] = [0, true];
    let release: () => void = () => undefined;
    const read = async (): Promise<Buffer> => {
      reads += 1;
      if (hangs) await new Promise<void>((resolve) => (release = resolve));
      return Buffer.from('two');
    };
    const { accepted, outcomes } = watch('mounted', 'one', 5, undefined, createFileReader({ timeLimitMs: 30, read }));
    await vi.waitFor(() => expect(outcomes).toHaveLength(1));
    expect(outcomes).toEqual([{ kind: 'failed', problem: expect.stringContaining(' 0.03 s') as string }]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(reads).toBe(1);
    hangs = false;
    release();
    await vi.waitFor(() => expect(accepted).toEqual(['two']));
    expect(outcomes.map(({ kind }) => kind)).toEqual(['failed', 'changed']);
  });

  it('reports other bad content again, even if its problem has the same text', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'bad');
    const { outcomes, reload } = watch(path, 'one', 3_600_000, (content) => content.startsWith('bad'));
    await reload();
    writeFileSync(path, 'bad too');
    await reload();
    await reload();
    expect(outcomes).toHaveLength(2);
  });

  it('reports a missing file with its code only', async () => {
    const { outcomes, reload } = watch(join(folder, 'missing'), 'one');
    await reload();
    await reload();
    expect(outcomes).toEqual([{ kind: 'failed', problem: 'cannot be read (ENOENT)' }]);
  });

  it('detects each of several Kubernetes symlink swaps by polling', async () => {
    const swap = (name: string, content: string): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'f'), content);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    swap('..1', 'one');
    symlinkSync(join('..data', 'f'), join(folder, 'f'));
    const { accepted } = watch(join(folder, 'f'), 'one', 10);
    const seen = async (content: string): Promise<void> => {
      for (let i = 0; i < 200 && accepted.at(-1) !== content; i += 1) await new Promise((done) => setTimeout(done, 10));
      expect(accepted.at(-1)).toBe(content);
    };
    for (const [index, content] of ['two', 'three', 'four'].entries()) {
      swap(`..${index + 2}`, content);
      await seen(content);
    }
    expect(accepted).toEqual(['two', 'three', 'four']);
  });
});
