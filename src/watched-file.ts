// Watches a file whose content may change while the service runs. Polls and compares hashes: file-system watchers see
// only the first of several Kubernetes symlink swaps. If new content is refused, the old value stays in use.
import { unreadableFile } from './problem.ts';
import { hash } from 'node:crypto';
import type { ReadFileAsync } from './file-reader.ts';

export type ReloadOutcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'failed'; readonly problem: string };

export interface WatchedFile {
  /** Reads the file now and, if its content has changed, passes it to `accept`. Calls never overlap. */
  readonly reload: (options?: { readonly force?: boolean }) => Promise<ReloadOutcome>;
  readonly close: () => void;
}

interface WatchedFileOptions {
  readonly path: string;
  readonly readFile: ReadFileAsync;
  /** The content in use, so that the first poll does not load it again. */
  readonly initial: Buffer;
  readonly intervalMs: number;
  /**
   * Other input of `accept` than the content, as text that changes with it (a revision, a hash). Refused content is
   * tried again only when this has changed; without it, only when the content has.
   */
  readonly dependsOn?: () => string | Promise<string>;
  /** Applies the new content, or throws to keep the old. Awaited. */
  readonly accept: (content: Buffer) => void | Promise<void>;
  /** Called once per change or new failure, not for every poll of a file that stays bad. */
  readonly onOutcome: (outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void;
}

const digest = (content: Buffer): string => hash('sha256', content, 'base64url');

/** Starts polling. The timer does not keep the process alive. */
export function watchFile(options: WatchedFileOptions): WatchedFile {
  const { path, readFile, intervalMs, dependsOn = () => '', accept, onOutcome } = options;
  let inUse = digest(options.initial);
  let refused: { readonly content: string; readonly basis: string; readonly problem: string } | undefined;
  /** The failure reported last, with the hash of its content. */
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
      return fail(unreadableFile(error).problem);
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

  // Skip a poll while one is running, so that a hanging file does not collect reads.
  const timer = setInterval(() => {
    if (waiting === 0) void reload();
  }, intervalMs);
  timer.unref();
  return { reload, close: () => clearInterval(timer) };
}
