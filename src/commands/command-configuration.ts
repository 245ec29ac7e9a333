// Loads the whole configuration for commands: files relative to the working directory, secrets in stores, and the exit
// code for problems.
import { resolve } from 'node:path';
import { createSettingReader, type ReadFile } from '../config/setting-reader.ts';
import { loadConfiguration, type Configuration } from '../config/load-configuration.ts';
import { readStoredSecrets, type StoredSecrets } from '../config/read-stored-secrets.ts';
import { createFileReader, readRegularFileSync } from '../file-reader.ts';
import { ConfigurationError, toLine, type Problem } from '../problem.ts';
import { archiveProblem, createPolicyArchive, type PolicyArchive } from '../reload/policy-archive.ts';
import { exitCode, type CommandContext } from './command.ts';

export const readFileFor =
  ({ cwd }: Pick<CommandContext, 'cwd'>): ReadFile =>
  (path) =>
    readRegularFileSync(resolve(cwd, path));

/** Reads the secrets from stores, all or only the named ones. Prints a line if it has to wait. */
export function storedSecretsFor(context: CommandContext, names?: readonly string[]): Promise<StoredSecrets> {
  const readFile = createFileReader();
  return readStoredSecrets(context.env, readFileFor(context), {
    readFileAsync: (path) => readFile(resolve(context.cwd, path)),
    names,
    clock: context.clock,
    random: Math.random,
    onWait: (problem) => context.err(`waiting: ${toLine(problem)}\n`),
  });
}

/** The archive of policies, if one is set. */
function policyArchiveFor({ env, cwd, clock }: CommandContext): PolicyArchive | undefined {
  const folder = createSettingReader(env, () => Buffer.alloc(0), []).text('POLICY_ARCHIVE_DIR');
  return folder === undefined ? undefined : createPolicyArchive({ folder: resolve(cwd, folder), now: clock.now });
}

async function problemOf(work: Promise<unknown> | undefined): Promise<readonly Problem[]> {
  try {
    await work;
    return [];
  } catch (error) {
    return [archiveProblem(error)];
  }
}

/** All problems that would stop the start: settings, policies, and a policy archive that cannot be written. */
export async function loadConfigurationFor(
  context: CommandContext,
  stored: StoredSecrets,
  policyFile?: string,
): Promise<Configuration> {
  const problems = await problemOf(policyArchiveFor(context)?.probe());
  try {
    const configuration = loadConfiguration(context.env, readFileFor(context), stored, policyFile);
    if (problems.length === 0) return configuration;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError([...error.problems, ...problems], error.isTemporary && problems.length === 0);
  }
  throw new ConfigurationError(problems);
}

/** Archives the policy of the start, if configured. Throws ConfigurationError if that fails. */
export async function archiveFirstPolicy(context: CommandContext, { policy }: Configuration): Promise<void> {
  const problems = await problemOf(policyArchiveFor(context)?.keep(policy.content.toString('utf8')));
  if (problems.length > 0) throw new ConfigurationError(problems);
}

/** Prints every problem. Exit code 78 needs a correction; after 1 a supervisor may restart the service. */
export function exitCodeOf(error: unknown, context: Pick<CommandContext, 'err'>): number {
  if (!(error instanceof ConfigurationError)) throw error;
  context.err(`${error.message}\n`);
  return error.isTemporary ? exitCode.checkFailed : exitCode.configuration;
}
