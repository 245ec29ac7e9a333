// A file whose content may change under the running service. Polls and compares hashes: watch APIs see only the
// first of several Kubernetes symlink swaps. Content that is refused leaves the old value in use.
import { hash } from 'node:crypto';
import type { ReadFileAsync } from './file-reader.ts';

export type ReloadOutcome =
  { readonly kind: 'unchanged' } | { readonly kind: 'changed' } | { readonly kind: 'failed'; readonly problem: string };

export interface WatchedFile {
  /** Reads the file now and, if its content differs from the last one seen, hands it to `accept`. Calls never overlap. */
  readonly reload: (options?: { readonly force?: boolean }) => Promise<ReloadOutcome>;
  readonly close: () => void;
}

interface WatchedFileOptions {
  readonly path: string;
  readonly readFile: ReadFileAsync;
  /** Content that is in use already, so that the first poll does not load it again. */
  readonly initial: Buffer;
  readonly intervalMs: number;
  /**
   * What `accept` depends on beside the content, as text that changes with it (a revision, a hash). Refused content is
   * examined again only when this has changed; without it, only when the content has.
   */
  readonly dependsOn?: () => string | Promise<string>;
  /** Takes the new content into use, or throws to keep the old. Awaited. */
  readonly accept: (content: Buffer) => void | Promise<void>;
  /** Called once per change or new failure, not on every poll of a file that stays bad. */
  readonly onOutcome: (outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void;
}

const digest = (content: Buffer): string => hash('sha256', content, 'base64url');

/** Starts polling. The timer does not keep the process alive. */
export function watchFile(options: WatchedFileOptions): WatchedFile {
  const { path, readFile, intervalMs, dependsOn = () => '', accept, onOutcome } = options;
  let inUse = digest(options.initial);
  let refused: { readonly content: string; readonly basis: string; readonly problem: string } | undefined;
  /** The failure that was last reported, with the content that it concerned. */
  let reported: string | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const fail = (problem: string, content = ''): ReloadOutcome => {
    const outcome = { kind: 'failed', problem } as const;
    const failure = `${content} ${problem}`;
    if (failure !== reported) onOutcome(outcome);
    reported = failure;
    return outcome;
  };

  const attempt = async (force: boolean): Promise<ReloadOutcome> => {
    let content: Buffer;
    try {
      content = await readFile(path);
    } catch (error) {
      return fail(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    }
    const seen = digest(content);
    if (!force && seen === inUse) {
      reported = refused = undefined;
      return { kind: 'unchanged' };
    }
    let basis = '';
    try {
      basis = await dependsOn();
      if (!force && seen === refused?.content && basis === refused.basis) return fail(refused.problem, seen);
      await accept(content);
    } catch (error) {
      const problem = error instanceof Error ? error.message : 'was refused';
      refused = { content: seen, basis, problem };
      return fail(problem, seen);
    }
    inUse = seen;
    reported = refused = undefined;
    onOutcome({ kind: 'changed' });
    return { kind: 'changed' };
  };

  const reload: WatchedFile['reload'] = ({ force = false } = {}) => {
    waiting += 1;
    const next = queue.then(() => attempt(force)).finally(() => (waiting -= 1));
    queue = next.catch(() => undefined);
    return next;
  };

  // A poll is skipped while one runs: a file that hangs gathers no readers.
  const timer = setInterval(() => {
    if (waiting === 0) void reload();
  }, intervalMs);
  timer.unref();
  return { reload, close: () => clearInterval(timer) };
}
