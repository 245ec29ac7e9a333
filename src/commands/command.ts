// What a command is: words in, text out, an exit code. Commands never touch the process; main.ts does.
import type { Clock } from '../clock.ts';

export interface CommandContext {
  /** The words after the command's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: () => Promise<string>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /**
   * Writes to standard output; calls `done` once the operating system has the text, or with the error if it has not.
   */
  readonly log: (text: string, done: (error?: Error | null) => void) => void;
  /** Whether `out` is a terminal: colours and alignment for a person are welcome there. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** Only for commands that stay: resolves with the exit code once the process was asked to stop and has stopped. */
  readonly untilStopped: (service: LongRunning) => Promise<number>;
}

/** A running service as the process sees it. */
export interface LongRunning {
  /** Stops in order; called once, on the first SIGTERM or SIGINT or on an uncaught error. */
  readonly stop: (cause: { readonly signal?: string; readonly error?: unknown }) => Promise<void>;
  /** Called on every SIGHUP. */
  readonly reload: () => void;
  /** After this many milliseconds of stopping the process ends with exit code 1. */
  readonly stopWithinMs: number;
}

/** Exit codes of every command; the last two follow sysexits.h. */
export const exitCode = { ok: 0, checkFailed: 1, usage: 64, configuration: 78 } as const;

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly help: string;
  readonly run: (context: CommandContext) => Promise<number>;
}
