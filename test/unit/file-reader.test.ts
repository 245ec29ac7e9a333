import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFileReader, readRegularFileSync } from '../../src/file-reader.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-reader-'));
  writeFileSync(join(folder, 'regular'), 'content');
  symlinkSync('regular', join(folder, 'link'));
  mkdirSync(join(folder, 'folder'));
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  writeFileSync(join(folder, 'huge'), '');
  truncateSync(join(folder, 'huge'), 4_194_305);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const codeOf = async (read: () => Promise<Buffer> | Buffer): Promise<unknown> => {
  try {
    return (await read()).toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

/** A read that ends when the test calls a function. */
function heldReads() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    end: (path: string): void => ends.get(path)?.(),
    read: (path: string): Promise<Buffer> => {
      begun.push(path);
      return new Promise((resolve) => ends.set(path, () => resolve(Buffer.from(path))));
    },
  };
}

/** The error code of a file that does not answer. */
const timedOut = 'no answer within 0.02 s';

describe('reading a file', () => {
  it.each([
    ['regular', 'content'],
    ['link', 'content'],
    ['folder', 'EISDIR'],
    ['fifo', 'not a regular file'],
    ['huge', 'EFBIG'],
    ['missing', 'ENOENT'],
  ])('of kind %s returns %s, at the start and later', async (name, expected) => {
    const path = join(folder, name);
    expect(await codeOf(() => readRegularFileSync(path))).toBe(expected);
    expect(await codeOf(() => createFileReader()(path))).toBe(expected);
  });

  it('runs at most two reads at a time, in the order of the calls', async () => {
    const { begun, end, read } = heldReads();
    const reader = createFileReader({ read });
    const results = ['a', 'b', 'c', 'd'].map((path) => reader(path));
    expect(begun).toEqual(['a', 'b']);
    end('b');
    await results[1];
    expect(begun).toEqual(['a', 'b', 'c']);
    end('c');
    await results[2];
    end('a');
    end('d');
    expect((await Promise.all(results)).map(String)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('stops waiting for a file that hangs and does not read it again meanwhile; others are read', async () => {
    const { begun, end, read } = heldReads();
    const reader = createFileReader({ read, timeLimitMs: 20 });
    expect(await codeOf(() => reader('hanging'))).toBe(timedOut);
    expect(await codeOf(() => reader('hanging'))).toBe(timedOut);
    const other = reader('other');
    end('other');
    expect(String(await other)).toBe('other');
    expect(begun).toEqual(['hanging', 'other']);
    end('hanging');
    await new Promise(setImmediate);
    const again = reader('hanging');
    end('hanging');
    expect(String(await again)).toBe('hanging');
  });

  it('leaves two threads free when every file hangs', async () => {
    const { begun, read } = heldReads();
    const reader = createFileReader({ read, timeLimitMs: 20 });
    const codes = await Promise.all(['a', 'b', 'c', 'd'].map((path) => codeOf(() => reader(path))));
    expect(codes).toEqual(Array.from({ length: 4 }, () => timedOut));
    expect(begun).toEqual(['a', 'b']);
  });
});
