// Loads everything that the service needs to start: settings, policy files and the policy tests that must pass. Reports
// all problems at once.
import { loadPolicy } from '../policy/compile/load-policy.ts';
import type { Policy } from '../policy/policy.ts';
import { requirePolicyTests } from '../policy/trial/required-tests.ts';
import { ConfigurationError, type Problem, unreadableFile, collectProblems } from '../problem.ts';
import { createSettingReader, type Environment, type ReadFile } from './setting-reader.ts';
import { readSettings, type Settings } from './read-settings.ts';
import { noStoredSecrets } from './read-stored-secrets.ts';

/** The content of a file and the policy compiled from it. */
export interface LoadedPolicy {
  readonly path: string;
  readonly content: Buffer;
  readonly policy: Policy;
}

export interface Configuration {
  readonly settings: Settings;
  readonly policy: LoadedPolicy;
  readonly shadow?: LoadedPolicy | undefined;
}

/** `setting`: the setting that names the file, if any. */
function readNamedFile(setting: string | undefined, path: string, readFile: ReadFile, fix: string): Buffer {
  try {
    return readFile(path);
  } catch (error) {
    const { problem, fix: usualFix } = unreadableFile(error);
    throw new ConfigurationError([
      setting === undefined
        ? { location: path, problem, fix: usualFix }
        : { location: setting, problem: `names a file that ${problem}`, fix },
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
  const settings = collectProblems(problems, () => readSettings(env, readFile, stored));

  // Check the policy even if a setting is wrong, with the default of that setting, so that all problems are reported at
  // once.
  const reader = createSettingReader(env, readFile, []);
  const maxLifetimeSeconds =
    settings?.maxLifetimeSeconds ?? reader.integer('TOKEN_MAX_LIFETIME_SECONDS', 1, 31_536_000) ?? 86_400;
  const apiKeyNames = settings?.apiKeys.map(({ name }) => name);
  const load = (setting: string | undefined, path: string): LoadedPolicy => {
    const content = readNamedFile(setting, path, readFile, 'Set it to the path of your policy');
    const policy = loadPolicy({
      text: content.toString('utf8'),
      file: path,
      maxLifetimeSeconds,
      apiKeyNames,
    });
    return { path, content, policy };
  };
  const policy = collectProblems(problems, () =>
    policyFile === undefined ? load('POLICY_FILE', reader.text('POLICY_FILE') ?? '') : load(undefined, policyFile),
  );
  const shadowPath = reader.text('POLICY_SHADOW_FILE');
  const shadow =
    shadowPath === undefined ? undefined : collectProblems(problems, () => load('POLICY_SHADOW_FILE', shadowPath));

  if (policy !== undefined && settings !== undefined) {
    collectProblems(problems, () => requirePolicyTests(policy.policy, settings.policyTestFiles, readFile));
  }

  if (problems.length > 0 || settings === undefined || policy === undefined) {
    const isTemporary = stored.isTemporary && problems.every((problem) => stored.problems.includes(problem));
    throw new ConfigurationError(problems, isTemporary);
  }
  return { settings, policy, shadow };
}
