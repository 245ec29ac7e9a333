// Loads the policy for commands that only evaluate it: they need POLICY_FILE and the bound on lifetimes, but no API key
// and no issuers.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSettingReader } from '../config/setting-reader.ts';
import { loadPolicy } from '../policy/compile/load-policy.ts';
import type { Policy } from '../policy/policy.ts';
import { ConfigurationError, type Problem, unreadableFile } from '../problem.ts';
import type { CommandContext } from './command.ts';

type PolicyContext = Pick<CommandContext, 'env' | 'cwd'>;

/** The context with another policy file, if --policy names one. */
export const withPolicyFile = (context: CommandContext, file: string | undefined): CommandContext =>
  file === undefined ? context : { ...context, env: { ...context.env, POLICY_FILE: file } };

/** The setting POLICY_FILE, or its default. */
export const policyFileSetting = ({ env }: PolicyContext): string =>
  createSettingReader(env, () => Buffer.alloc(0), []).text('POLICY_FILE') ?? '';

/** A text file's content. Throws ConfigurationError with `setting`, or the path itself, as location. */
export function readTextFile(path: string, { cwd }: PolicyContext, setting?: string): string {
  try {
    return readFileSync(resolve(cwd, path), 'utf8');
  } catch (error) {
    const { problem, fix } = unreadableFile(error);
    throw new ConfigurationError([
      setting === undefined
        ? { location: path, problem, fix }
        : { location: setting, problem: `names a file that ${problem}`, fix },
    ]);
  }
}

/** Loads the policy at `path`, or the one of POLICY_FILE. Throws ConfigurationError with all problems. */
export function loadTrialPolicy(context: PolicyContext, path?: string): Policy {
  const problems: Problem[] = [];
  const reader = createSettingReader(context.env, () => Buffer.alloc(0), problems);
  const maxLifetimeSeconds = reader.integer('TOKEN_MAX_LIFETIME_SECONDS', 1, 31_536_000);
  const file = path ?? policyFileSetting(context);
  if (maxLifetimeSeconds === undefined) throw new ConfigurationError(problems);
  const text = readTextFile(file, context, path === undefined ? 'POLICY_FILE' : undefined);
  return loadPolicy({ text, file, maxLifetimeSeconds });
}
