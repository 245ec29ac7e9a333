// Reads single settings from the environment by the table in settings.ts. A wrong value is a problem with the variable
// and the fix; the value is never printed. Empty means absent.
import { type Problem, unreadableFile } from '../problem.ts';
import { originOf, secretText, type SecretOrigin, type SecretSetting } from '../secrets/secret-setting.ts';
import { settingOf, sourceVariables } from '../secrets/secret-sources.ts';
import { Secret } from '../secrets/secret.ts';
import { textProblem } from '../unusable-text.ts';
import { kindOfSetting, namedApiKey, settingNamed, type SettingName } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What was read from secret stores before. */
export interface StoredSecretSettings {
  /** The secret of a setting, such as `DATABRAIN_API_KEY`, if it is in a store and could be read. */
  readonly get: (name: string) => SecretSetting | undefined;
}

/** Reads a file's bytes or throws an error with a `code`. */
export type ReadFile = (path: string) => Buffer;

export function createSettingReader(
  env: Environment,
  readFile: ReadFile,
  problems: Problem[],
  stored?: StoredSecretSettings,
) {
  const secretOrigins: SecretOrigin[] = [];
  const raw = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);

  const report = (location: string, problem: string, fix: string): undefined => {
    problems.push({ location, problem, fix });
    return undefined;
  };

  const text = (name: SettingName): string | undefined => raw(name) ?? settingNamed(name)?.default;

  /** A whole number between the bounds; the default when absent or wrong, with a problem in the latter case. */
  function integer(name: SettingName, min: number, max: number): number | undefined {
    const value = text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    const fix = /^[a-z]+:\/\//.test(value)
      ? `Set a whole number from ${min} to ${max}; if Kubernetes set it for a Service of that name, use enableServiceLinks: false`
      : `Set a whole number from ${min} to ${max}`;
    report(name, 'is out of range or not a whole number', fix);
    return undefined;
  }

  function flag(name: SettingName): boolean {
    const value = text(name);
    if (value === 'true' || value === 'false' || value === undefined) return value === 'true';
    report(name, 'must be true or false', 'Set true or false');
    return false;
  }

  function oneOf<const T extends string>(name: SettingName, values: readonly T[]): T | undefined {
    const value = text(name);
    const found = values.find((candidate) => candidate === value);
    if (found === undefined && value !== undefined)
      report(name, 'has an unknown value', `Set one of ${values.join(', ')}`);
    return found;
  }

  /** Comma-separated values without empty ones; undefined when absent. */
  function list(name: SettingName): readonly string[] | undefined {
    const value = text(name);
    if (value === undefined) return undefined;
    const items = value.split(',').map((item) => item.trim());
    if (items.includes('')) report(name, 'has an empty entry', 'Remove the extra comma');
    return items.filter((item) => item !== '');
  }

  /** A value from `NAME` or the file of `NAME_FILE`. Both together, and an unreadable or empty file, are problems. */
  function fromFile(name: string): SecretSetting | undefined {
    const inline = raw(name);
    const path = raw(`${name}_FILE`);
    if (inline !== undefined && path !== undefined) {
      return report(name, `is set, and ${name}_FILE too`, 'Keep exactly one of the two');
    }
    if (inline !== undefined) {
      return inline.trim() === '' ? report(name, 'is blank', 'Set a value') : { name, value: new Secret(inline) };
    }
    if (path === undefined) return undefined;
    let content: Buffer;
    try {
      content = readFile(path);
    } catch (error) {
      const { problem, fix } = unreadableFile(error);
      return report(`${name}_FILE`, `names a file that ${problem}`, fix);
    }
    try {
      const text = secretText(content);
      const unusable = textProblem(text, kindOfSetting(name) ?? 'keys');
      if (unusable !== undefined) {
        return report(`${name}_FILE`, `names a file whose content ${unusable.problem}`, unusable.fix);
      }
      return { name, value: new Secret(text), file: { path, content } };
    } catch (error) {
      const problem = error instanceof Error ? error.message : 'cannot be used';
      return report(`${name}_FILE`, `names a file that ${problem}`, 'The file must hold the value and nothing else');
    }
  }

  const isSet = (name: string): boolean => [name, ...sourceVariables(name)].some((source) => raw(source) !== undefined);

  /**
   * A secret from `NAME`, its file or a store; two of them are a problem. Also undefined if it could not be read, which
   * is reported.
   */
  function secret(name: string): SecretSetting | undefined {
    const [first = name, second] = [name, ...sourceVariables(name)].filter((source) => raw(source) !== undefined);
    if (second !== undefined) return report(first, `is set, and ${second} too`, 'Keep exactly one of the two');
    const found = stored?.get(name) ?? fromFile(name);
    const unusable =
      found?.stored === undefined ? undefined : textProblem(found.value.reveal(), kindOfSetting(name) ?? 'keys');
    if (found !== undefined && unusable !== undefined) {
      return report(first, `names a value in ${originOf(found)} that ${unusable.problem}`, unusable.fix);
    }
    if (found !== undefined) secretOrigins.push({ name, origin: originOf(found) });
    return found;
  }

  /** Names of all `DATABRAIN_API_KEY_<NAME>` that are set, in themselves, by file or in a store. */
  function namedApiKeys(): readonly string[] {
    const names = new Set<string>();
    for (const variable of Object.keys(env)) {
      const name = settingOf(variable);
      if (raw(variable) !== undefined && namedApiKey.test(name)) names.add(name);
    }
    return [...names].sort();
  }

  return {
    problems,
    secretOrigins,
    raw,
    isSet,
    text,
    integer,
    flag,
    oneOf,
    list,
    fromFile,
    secret,
    namedApiKeys,
    report,
  };
}

export type SettingReader = ReturnType<typeof createSettingReader>;
