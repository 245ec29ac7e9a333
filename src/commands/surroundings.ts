// What commands that load the whole configuration need around them: files below the working directory, secrets in
// stores, and an exit code for what is wrong.
import { resolve } from 'node:path';
import type { ReadFile } from '../config/environment.ts';
import { readStoredSecrets, type StoredSecrets } from '../config/stored-secrets.ts';
import { createFileReader, readRegularFileSync } from '../file-reader.ts';
import { ConfigurationError, toLine } from '../problem.ts';
import { exitCode, type CommandContext } from './command.ts';

export const readFileFor =
  ({ cwd }: Pick<CommandContext, 'cwd'>): ReadFile =>
  (path) =>
    readRegularFileSync(resolve(cwd, path));

/** Reads the secrets that are in stores, or those of them that are named. Says so when it has to wait for one. */
export function storedSecretsFor(context: CommandContext, names?: readonly string[]): Promise<StoredSecrets> {
  const readFile = createFileReader();
  return readStoredSecrets(context.env, readFileFor(context), {
    readFileAsync: (path) => readFile(resolve(context.cwd, path)),
    ...(names === undefined ? {} : { names }),
    clock: context.clock,
    random: Math.random,
    onWait: (problem) => context.err(`waiting: ${toLine(problem)}\n`),
  });
}

/** Prints every problem. 78 is for a person to correct; after 1 a supervisor may simply start the service again. */
export function exitCodeOf(error: unknown, context: Pick<CommandContext, 'err'>): number {
  if (!(error instanceof ConfigurationError)) throw error;
  context.err(`${error.message}\n`);
  return error.isTemporary ? exitCode.checkFailed : exitCode.configuration;
}
