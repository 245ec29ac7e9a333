// Loads everything that the service needs to start: settings and policy files. Reports all problems at once.
import { loadPolicy } from '../policy/compile/load-policy.ts';
import type { Policy } from '../policy/policy.ts';
import { ConfigurationError, type Problem } from '../problem.ts';
import { createReader, type Environment, type ReadFile } from './environment.ts';
import { loadConfig, type Config } from './load-config.ts';
import { noStoredSecrets } from './stored-secrets.ts';
import { requirePolicyTests } from './policy-tests.ts';

/** The content of a file and the policy compiled from it. */
export interface LoadedPolicy {
  readonly path: string;
  readonly content: Buffer;
  readonly policy: Policy;
}

export interface Configuration {
  readonly config: Config;
  readonly policy: LoadedPolicy;
  readonly shadow?: LoadedPolicy | undefined;
}

/** Runs a step and collects its problems instead of throwing. */
function collect<T>(problems: Problem[], step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/** `setting`: the setting that names the file, if any. */
function readPolicyFile(setting: string | undefined, path: string, readFile: ReadFile): Buffer {
  try {
    return readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const problem = `cannot be read (${code})`;
    throw new ConfigurationError([
      setting === undefined
        ? { location: path, problem, fix: 'Check the path and its permissions' }
        : { location: setting, problem: `names a file that ${problem}`, fix: 'Set it to the path of your policy' },
    ]);
  }
}

/**
 * Loads settings and policies. Throws ConfigurationError with the problems of all of them.
 * @param policyFile the policy to load instead of the one that POLICY_FILE names
 */
export function loadConfiguration(
  env: Environment,
  readFile: ReadFile,
  stored = noStoredSecrets,
  policyFile?: string,
): Configuration {
  const problems: Problem[] = [];
  const config = collect(problems, () => loadConfig(env, readFile, stored));

  // Check the policy even if a setting is wrong, with the default of that setting, so that all problems are reported at
  // once.
  const reader = createReader(env, readFile, []);
  const maxLifetimeSeconds =
    config?.maxLifetimeSeconds ?? reader.integer('TOKEN_MAX_LIFETIME_SECONDS', 1, 31_536_000) ?? 86_400;
  const apiKeyNames = config?.apiKeys.map(({ name }) => name);
  const load = (setting: string | undefined, path: string): LoadedPolicy => {
    const content = readPolicyFile(setting, path, readFile);
    const policy = loadPolicy({
      text: content.toString('utf8'),
      file: path,
      maxLifetimeSeconds,
      apiKeyNames,
    });
    return { path, content, policy };
  };
  const policy = collect(problems, () =>
    policyFile === undefined ? load('POLICY_FILE', reader.text('POLICY_FILE') ?? '') : load(undefined, policyFile),
  );
  const shadowPath = reader.text('POLICY_SHADOW_FILE');
  const shadow = shadowPath === undefined ? undefined : collect(problems, () => load('POLICY_SHADOW_FILE', shadowPath));

  if (policy !== undefined && config !== undefined) {
    collect(problems, () => requirePolicyTests(policy.policy, config.policyTestFiles, readFile));
  }

  if (problems.length > 0 || config === undefined || policy === undefined) {
    const isTemporary = stored.isTemporary && problems.every((problem) => stored.problems.includes(problem));
    throw new ConfigurationError(problems, isTemporary);
  }
  return { config, policy, shadow };
}
