// Reads files that may hang, for example on a network mount. A hanging read holds one of the few threads that DNS
// look-ups use too, so at most two reads run at a time, and one per file. Does not watch for changes.
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** Rejects with an Error whose `code` says why, such as `ENOENT`. */
export type ReadFileAsync = (path: string) => Promise<Buffer>;

interface FileReaderOptions {
  /** From the call to the content, including the wait for other reads. */
  readonly timeLimitMs?: number;
  /** Only tests set it. */
  readonly read?: ReadFileAsync;
}

const maxReads = 2;
const maxBytes = 4_194_304;

const unreadable = (code: string): Error => Object.assign(new Error(`cannot be read (${code})`), { code });

/** Without O_NONBLOCK, opening a FIFO would wait for a writer before its type can be checked. */
const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

function refuseUnusableFile(stats: Stats): void {
  if (!stats.isFile()) throw unreadable(stats.isDirectory() ? 'EISDIR' : 'not a regular file');
  if (stats.size > maxBytes) throw unreadable('EFBIG');
}

async function readRegularFile(path: string): Promise<Buffer> {
  const file = await open(path, readOnly);
  try {
    refuseUnusableFile(await file.stat());
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Blocking read for the start of the program. Throws an Error with a `code`; regular files up to 4 MiB only. */
export function readRegularFileSync(path: string): Buffer {
  const file = openSync(path, readOnly);
  try {
    refuseUnusableFile(fstatSync(file));
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** Creates the file reader of the service: regular files up to 4 MiB, each within the time limit. */
export function createFileReader({
  timeLimitMs = 5_000,
  read = readRegularFile,
}: FileReaderOptions = {}): ReadFileAsync {
  /** Reads that hold a thread, including those that timed out. */
  const running = new Set<string>();
  const waiting = new Set<() => void>();
  const timedOut = `no answer within ${timeLimitMs / 1000} s`;

  const begin = (path: string): Promise<Buffer> => {
    running.add(path);
    return read(path).finally(() => {
      running.delete(path);
      const [next] = waiting;
      next?.();
    });
  };

  return (path) =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        waiting.delete(start);
        if (running.has(path)) reject(unreadable(timedOut));
        else
          begin(path)
            .then(resolve, reject)
            .finally(() => clearTimeout(timer));
      };
      const timer = setTimeout(() => {
        waiting.delete(start);
        reject(unreadable(timedOut));
      }, timeLimitMs);
      timer.unref();
      if (running.size < maxReads) start();
      else waiting.add(start);
    });
}
