// What commands that load the whole configuration need around them: files below the working directory, secrets in
// stores, and an exit code for what is wrong.
import { resolve } from 'node:path';
import { createReader, type ReadFile } from '../config/environment.ts';
import { loadConfiguration, type Configuration } from '../config/load-configuration.ts';
import { readStoredSecrets, type StoredSecrets } from '../config/stored-secrets.ts';
import { createFileReader, readRegularFileSync } from '../file-reader.ts';
import { ConfigurationError, toLine, type Problem } from '../problem.ts';
import { archiveProblem, createPolicyArchive, type PolicyArchive } from '../reload/policy-archive.ts';
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

/** The archive of policies, if one is set. */
function policyArchiveFor({ env, cwd, clock }: CommandContext): PolicyArchive | undefined {
  const folder = createReader(env, () => Buffer.alloc(0), []).text('POLICY_ARCHIVE_DIR');
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

/** All that would stop the start, at once: settings, policies, and an archive of policies that cannot be written. */
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

/** Keeps the policy that the service starts with. Throws ConfigurationError if that is asked for and fails. */
export async function archiveFirstPolicy(context: CommandContext, { policy }: Configuration): Promise<void> {
  const problems = await problemOf(policyArchiveFor(context)?.keep(policy.content.toString('utf8')));
  if (problems.length > 0) throw new ConfigurationError(problems);
}

/** Prints every problem. 78 is for a person to correct; after 1 a supervisor may simply start the service again. */
export function exitCodeOf(error: unknown, context: Pick<CommandContext, 'err'>): number {
  if (!(error instanceof ConfigurationError)) throw error;
  context.err(`${error.message}\n`);
  return error.isTemporary ? exitCode.checkFailed : exitCode.configuration;
}
