// Parses command-line arguments strictly: unknown options and extra arguments are usage errors. Handles --help.
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { exitCode, type Command, type CommandContext } from './command.ts';

/** Options and positionals as in node:util, or the exit code if the command ends now. */
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
