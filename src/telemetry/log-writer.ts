// Writes log lines to standard output, in bounded memory. All lines of one iteration of the event loop are one write.
// If the reader is slow or has stopped, lines are buffered. If the buffer is full, ordinary lines are dropped and
// counted, and required lines (without audit line no token) are refused.
import type { Clock } from '../clock.ts';

/** Standard output, as the process gives it. */
export interface LogSink {
  /** Calls `done` when the operating system has accepted the text, or with the error. */
  readonly write: (text: string, done: (error?: Error | null) => void) => void;
}

export interface LogWriter {
  /** Writes an ordinary line, or drops and counts it. */
  readonly write: (line: string) => void;
  /** Writes a required line. True when the operating system has accepted it; false: it may be lost. */
  readonly record: (line: string) => Promise<boolean>;
  /** Resolves when the lines so far are written; at once while the reader is slow. */
  readonly settled: () => Promise<unknown>;
  /** Whether `record` can succeed; false while the reader has stopped or the last write failed. */
  readonly isFlowing: () => boolean;
  /** Ordinary lines dropped since the start. */
  readonly dropped: () => number;
  /** Resolves when every line is written, or after this many milliseconds. */
  readonly flush: (withinMs: number) => Promise<void>;
}

interface LogWriterOptions {
  readonly sink: LogSink;
  readonly clock: Clock;
  /** Called with the number of dropped lines when writing works again. Its own line is never dropped. */
  readonly onDropped: (lines: number) => void;
  /** Only tests set these. */
  readonly bounds?: Partial<typeof defaultBounds>;
}

const defaultBounds = {
  /** Buffer for ordinary lines, in characters. */
  ordinary: 1024 * 1024,
  /** Buffer for required lines, in characters. */
  required: 1024 * 1024,
  /** Characters of ordinary lines in one write, so that a required line waits for few others. */
  write: 64 * 1024,
  /** How long a write may take before the reader counts as stopped. */
  stalledAfterMs: 1_000,
};

/** The outcome of one write, shared by all who wait for it. */
interface Commit {
  readonly done: Promise<boolean>;
  readonly settle: (isWritten: boolean) => void;
}

function createCommit(): Commit {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  return { done: promise, settle: resolve };
}

const checkIntervalMs = 250;
/** The time until the next attempt after a failed write (a full disk), unless another line comes first. */
const retryAfterMs = 5_000;

/** One write to the sink. */
interface Batch {
  readonly commit: Commit | undefined;
  readonly startedAt: number;
  /** The number of ordinary lines. */
  readonly lines: number;
}

export function createLogWriter({ sink, clock, onDropped, bounds }: LogWriterOptions): LogWriter {
  const max = { ...defaultBounds, ...bounds };
  let required: string[] = [];
  let requiredLength = 0;
  let ordinary: string[] = [];
  let ordinaryLength = 0;
  /** Of the buffered lines. */
  let next: Commit | undefined;
  let inFlight: Batch | undefined;
  let isScheduled = false;
  let isStalled = false;
  let hasFailed = false;
  let droppedInTotal = 0;
  let droppedUnreported = 0;
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
    droppedUnreported += lines;
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
    const batch: Batch = { commit: next, startedAt: clock.monotonic(), lines: lines.length - required.length };
    inFlight = batch;
    required = [];
    requiredLength = 0;
    next = undefined;
    check ??= setInterval(checkStalled, checkIntervalMs).unref();
    sink.write(lines.join(''), (error) => sent(batch, error));
  }

  function reportDropped(): void {
    clearTimeout(retry);
    retry = undefined;
    if (droppedUnreported === 0) return;
    const lines = droppedUnreported;
    droppedUnreported = 0;
    onDropped(lines);
  }

  function sent({ commit, lines }: Batch, error?: Error | null): void {
    inFlight = undefined;
    isStalled = false;
    hasFailed = Boolean(error);
    if (hasFailed) {
      drop(lines);
      retry ??= setTimeout(reportDropped, retryAfterMs).unref();
    }
    commit?.settle(!hasFailed);
    if (!hasFailed && ordinary.length === 0) reportDropped();
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
    // Waiting callers fail. Their buffered lines are removed; text that the operating system has may still be written.
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
