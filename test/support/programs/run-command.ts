// Runs a command of the program in this process, with a simulated process, and records its output.
import type { Clock } from '../../../src/clock.ts';
import type { Command } from '../../../src/commands/command.ts';

export interface CommandRun {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

interface CommandSurroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Wall time in milliseconds since the epoch; constant. */
  readonly nowMs?: number;
}

export async function runCommand(
  command: Command,
  args: readonly string[],
  { env = {}, cwd = '.', stdin = '', nowMs = 1_767_225_600_000 }: CommandSurroundings = {},
): Promise<CommandRun> {
  let out = '';
  let err = '';
  const clock: Clock = { now: () => nowMs, monotonic: () => performance.now() };
  const exitCode = await command.run({
    args,
    env,
    cwd,
    programUrl: new URL('../../../src/main.ts', import.meta.url).href,
    stdin: () => Promise.resolve(stdin),
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    log: {
      write: (text, done) => {
        out += text;
        done();
      },
    },
    isTerminal: false,
    clock,
    untilStopped: () => Promise.reject(new Error('this command does not stay')),
  });
  return { exitCode, out, err };
}
