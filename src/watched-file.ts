// A file whose content may change under the running service. Polls and compares hashes: watch APIs see only the
// first of several Kubernetes symlink swaps. A reader that throws keeps the old value.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export type ReloadOutcome =
  { readonly kind: 'unchanged' } | { readonly kind: 'changed' } | { readonly kind: 'failed'; readonly problem: string };

export interface WatchedFile {
  /** Reads the file now and, if its content differs from the last one seen, hands it to `accept`. Calls never overlap. */
  readonly reload: (options?: { readonly force?: boolean }) => Promise<ReloadOutcome>;
  readonly close: () => void;
}

interface WatchedFileOptions {
  readonly path: string;
  /** Content that is in use already, so that the first poll does not load it again. */
  readonly initial: Buffer;
  readonly intervalMs: number;
  /** Whether content that was refused is tried again at every poll, because what it was refused for may be gone. */
  readonly retriesRefused?: boolean;
  /** Takes the new content into use, or throws to keep the old. Awaited. */
  readonly accept: (content: Buffer) => void | Promise<void>;
  /** Told once per change or new failure, not on every poll of a file that stays bad. */
  readonly onOutcome: (outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void;
}

const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** Starts polling. The timer does not keep the process alive. */
export function watchFile(options: WatchedFileOptions): WatchedFile {
  let inUse = digest(options.initial);
  let refused: string | undefined;
  let problem: string | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  const fail = (what: string, hash?: string): ReloadOutcome => {
    const outcome = { kind: 'failed', problem: what } as const;
    if (what !== problem || hash !== refused) options.onOutcome(outcome);
    problem = what;
    refused = hash;
    return outcome;
  };

  const attempt = async (force: boolean): Promise<ReloadOutcome> => {
    let content: Buffer;
    try {
      content = await readFile(options.path);
    } catch (error) {
      return fail(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    }
    const hash = digest(content);
    const triesAgain = force || options.retriesRefused === true;
    if (!triesAgain && hash === refused && problem !== undefined) return { kind: 'failed', problem };
    if (!force && hash === inUse) {
      problem = refused = undefined;
      return { kind: 'unchanged' };
    }
    try {
      await options.accept(content);
    } catch (error) {
      return fail(error instanceof Error ? error.message : 'was refused', hash);
    }
    inUse = hash;
    problem = refused = undefined;
    options.onOutcome({ kind: 'changed' });
    return { kind: 'changed' };
  };

  const reload: WatchedFile['reload'] = ({ force = false } = {}) => {
    const next = queue.then(() => attempt(force));
    queue = next;
    return next;
  };

  const timer = setInterval(() => void reload(), options.intervalMs);
  timer.unref();
  return { reload, close: () => clearInterval(timer) };
}
