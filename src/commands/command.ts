// The interface of a command: arguments in, text out, an exit code. Only main.ts uses the process. Arguments are parsed
// strictly.
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Clock } from '../clock.ts';
import type { LogSink } from '../telemetry/log-writer.ts';

export interface CommandContext {
  /** The arguments after the command's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Of the program's main module. The files that are shipped with the program are one folder above it. */
  readonly programUrl: string;
  readonly stdin: () => Promise<string>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Standard output, for the log. */
  readonly log: LogSink;
  /** Whether `out` is a terminal, for colours and alignment. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** For long-running commands: resolves with the exit code after the process was asked to stop and has stopped. */
  readonly untilStopped: (service: LongRunning) => Promise<number>;
}

/** A running service, for the process. */
export interface LongRunning {
  /** Graceful stop. Called once, on the first SIGTERM or SIGINT or on an uncaught error. */
  readonly stop: (cause: { readonly signal?: string | undefined; readonly error?: unknown }) => Promise<void>;
  /** Called on every SIGHUP. */
  readonly reload: () => void;
  /** If stopping takes longer than this, in milliseconds, the process ends with exit code 1. */
  readonly stopWithinMs: number;
}

/** Exit codes of every command; the last two follow sysexits.h. */
export const exitCode = { ok: 0, checkFailed: 1, usage: 64, configuration: 78 } as const;

export interface Command {
  readonly name: string;
  readonly help: string;
  readonly run: (context: CommandContext) => Promise<number>;
}

/**
 * Options and positionals as in node:util, or the exit code if the command ends now: after --help, and after a usage
 * error, such as an unknown option or an extra argument.
 */
export function parseWords<const O extends ParseArgsOptionsConfig>(
  command: Pick<Command, 'name' | 'help'>,
  context: CommandContext,
  options: O,
  allowPositionals = false,
) {
  const withHelp = { ...options, help: { type: 'boolean', short: 'h' } } as const;
  try {
    const parsed = parseArgs({ args: [...context.args], options: withHelp, strict: true, allowPositionals });
    if ((parsed.values as { help?: boolean }).help === true) {
      context.out(command.help);
      return { exit: exitCode.ok };
    }
    return parsed;
  } catch (error) {
    const problem = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : 'invalid arguments';
    context.err(`${command.name}: ${problem}\nTry --help.\n`);
    return { exit: exitCode.usage };
  }
}
