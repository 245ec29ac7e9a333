// The way of log lines to standard output, in bounded memory. All lines of one round of the event loop go out in one
// write. When their reader is slow or has stopped, lines wait in a buffer; when that is full, ordinary lines are
// dropped and counted, and lines that something depends on (no audit line, no token) are refused instead.
import type { Clock } from '../clock.ts';

/** Standard output, as the process gives it. */
export interface LogSink {
  /** Calls `done` once the operating system has taken the text, or with the error if it will not. */
  readonly write: (text: string, done: (error?: Error | null) => void) => void;
}

export interface LogWriter {
  /** Takes an ordinary line, or drops and counts it. */
  readonly write: (line: string) => void;
  /** Takes a line that something depends on. True once the operating system has it; false: it cannot be relied on. */
  readonly record: (line: string) => Promise<boolean>;
  /** Resolves when the lines taken so far are out, and at once while their reader is slow. */
  readonly settled: () => Promise<unknown>;
  /** Whether `record` would wait for something at all; false while the reader has stopped or the last write failed. */
  readonly isFlowing: () => boolean;
  /** Ordinary lines dropped since the start. */
  readonly dropped: () => number;
  /** Resolves when every line is out, or after so many milliseconds. */
  readonly flush: (withinMs: number) => Promise<void>;
}

interface LogWriterOptions {
  readonly sink: LogSink;
  readonly clock: Clock;
  /** Called when lines flow again after some were dropped: with their number. Its own line is always taken. */
  readonly onDropped: (lines: number) => void;
  /** Only tests set these. */
  readonly bounds?: Partial<typeof defaultBounds>;
}

const defaultBounds = {
  /** Characters of ordinary lines that may wait. */
  ordinary: 1024 * 1024,
  /** Characters of lines that something depends on. */
  required: 1024 * 1024,
  /**
   * Characters of ordinary lines in one write, so that the next line that something depends on waits for few others.
   */
  write: 64 * 1024,
  /** How long a write may take until its reader counts as stopped. */
  stalledAfterMs: 1_000,
};

/** The outcome of one write, shared by everybody who waits for it. */
interface Commit {
  readonly done: Promise<boolean>;
  readonly settle: (isWritten: boolean) => void;
}

function createCommit(): Commit {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  return { done: promise, settle: resolve };
}

const checkIntervalMs = 250;
/** After a write that failed (a full disk), so long until the next attempt if no other line comes before. */
const retryAfterMs = 5_000;

export function createLogWriter({ sink, clock, onDropped, bounds }: LogWriterOptions): LogWriter {
  const max = { ...defaultBounds, ...bounds };
  let required: string[] = [];
  let requiredLength = 0;
  let ordinary: string[] = [];
  let ordinaryLength = 0;
  /** Of the lines that wait. */
  let next: Commit | undefined;
  let inFlight: { readonly commit: Commit | undefined; readonly startedAt: number; readonly lines: number } | undefined;
  let isScheduled = false;
  let isStalled = false;
  let hasFailed = false;
  let droppedInTotal = 0;
  let droppedUntold = 0;
  let check: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;
  let whenEmpty: (() => void)[] = [];

  const isEmpty = (): boolean => inFlight === undefined && required.length === 0 && ordinary.length === 0;

  function schedule(): void {
    if (isScheduled || inFlight !== undefined) return;
    isScheduled = true;
    setImmediate(send);
  }

  function drop(lines: number): void {
    droppedInTotal += lines;
    droppedUntold += lines;
  }

  function takeOrdinary(): readonly string[] {
    let length = 0;
    let count = 0;
    for (const line of ordinary) {
      if (length >= max.write) break;
      length += line.length;
      count += 1;
    }
    ordinaryLength -= length;
    if (count < ordinary.length) return ordinary.splice(0, count);
    const all = ordinary;
    ordinary = [];
    return all;
  }

  function send(): void {
    isScheduled = false;
    if (inFlight !== undefined || (required.length === 0 && ordinary.length === 0)) return;
    const lines = [...required, ...takeOrdinary()];
    inFlight = { commit: next, startedAt: clock.monotonic(), lines: lines.length - required.length };
    required = [];
    requiredLength = 0;
    next = undefined;
    check ??= setInterval(checkStalled, checkIntervalMs).unref();
    sink.write(lines.join(''), sent);
  }

  function tellDropped(): void {
    clearTimeout(retry);
    retry = undefined;
    if (droppedUntold === 0) return;
    const untold = droppedUntold;
    droppedUntold = 0;
    onDropped(untold);
  }

  function sent(error?: Error | null): void {
    const { commit, lines } = inFlight ?? { commit: undefined, lines: 0 };
    inFlight = undefined;
    isStalled = false;
    hasFailed = Boolean(error);
    if (hasFailed) {
      drop(lines);
      retry ??= setTimeout(tellDropped, retryAfterMs).unref();
    }
    commit?.settle(!hasFailed);
    if (!hasFailed && ordinary.length === 0) tellDropped();
    if (!isEmpty()) {
      schedule();
      return;
    }
    for (const resume of whenEmpty) resume();
    whenEmpty = [];
  }

  function checkStalled(): void {
    if (inFlight === undefined) {
      clearInterval(check);
      check = undefined;
      return;
    }
    if (clock.monotonic() - inFlight.startedAt < max.stalledAfterMs) return;
    isStalled = true;
    // Whoever waits gives up. What waits is taken back; what the operating system was given may still come out.
    inFlight.commit?.settle(false);
    next?.settle(false);
    next = undefined;
    required = [];
    requiredLength = 0;
  }

  return {
    write: (line) => {
      if (ordinaryLength >= max.ordinary) {
        drop(1);
        return;
      }
      ordinary.push(line);
      ordinaryLength += line.length;
      schedule();
    },
    record: (line) => {
      if (isStalled || requiredLength >= max.required) return Promise.resolve(false);
      required.push(line);
      requiredLength += line.length;
      schedule();
      return (next ??= createCommit()).done;
    },
    settled: () => {
      if (isEmpty() || inFlight !== undefined) return Promise.resolve();
      return (next ??= createCommit()).done;
    },
    isFlowing: () => !isStalled && !hasFailed && requiredLength < max.required,
    dropped: () => droppedInTotal,
    flush: async (withinMs) => {
      if (isEmpty()) return;
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
      await Promise.race([new Promise<void>((resolve) => whenEmpty.push(resolve)), tooLate]);
      clearTimeout(timer);
    },
  };
}
