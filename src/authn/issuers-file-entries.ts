// Reads the entries of a list of issuers, member by member: known names and right types only, each problem with its
// position in the file. Values are never printed: some are secrets.
import { isJsonObject, type JsonObject } from '../strict-json.ts';
import { didYouMean } from '../did-you-mean.ts';
import { ConfigurationError, type Problem } from '../problem.ts';
import { parseStrictYaml } from '../strict-yaml.ts';
import { textProblem, type TextKind } from '../unusable-text.ts';

export interface IssuerEntry<Member extends string> {
  readonly has: (member: Member) => boolean;
  /** `file:line:column` of the member's value, or of the entry if it has none. */
  readonly location: (member: Member) => string;
  /** The value; undefined if absent. Reports a problem and returns undefined if it has the wrong type. */
  readonly text: (member: Member, kind?: TextKind) => string | undefined;
  /** One string or a list of strings. */
  readonly texts: (member: Member) => readonly string[] | undefined;
  readonly integer: (member: Member, min: number, max: number) => number | undefined;
  readonly flag: (member: Member) => boolean | undefined;
  readonly report: (member: Member, problem: string, fix: string) => undefined;
  readonly missing: (member: Member, wanted: string) => undefined;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
const isString = (value: unknown): value is string => typeof value === 'string';

function createEntry<Member extends string>(
  values: JsonObject,
  positionOf: (member: string) => string,
  problems: Problem[],
): IssuerEntry<Member> {
  const report = (member: Member, problem: string, fix: string): undefined => {
    problems.push({ location: positionOf(member), problem: `${member} ${problem}`, fix });
    return undefined;
  };
  const has = (member: Member): boolean => Object.hasOwn(values, member);
  /** The value if it could be read or is absent; otherwise reports the problem. */
  const read = <T>(member: Member, value: T | undefined, problem: string, fix: string): T | undefined =>
    value !== undefined || !has(member) ? value : report(member, problem, fix);
  /** The value, unless one of its texts can never be valid, which is reported. */
  function usable<T>(member: Member, value: T, texts: readonly string[], kind: TextKind): T | undefined {
    const unusable = texts.map((text) => textProblem(text, kind)).find((found) => found !== undefined);
    return unusable === undefined ? value : report(member, unusable.problem, unusable.fix);
  }
  const valueOf = (member: Member): unknown => (has(member) ? values[member] : undefined);

  return {
    has,
    location: positionOf,
    report,
    missing: (member, wanted) => report(member, 'is missing', `Set ${member} to ${wanted}`),
    text: (member, kind = 'text') => {
      const value = valueOf(member);
      const fix = 'Set a string; put quotes around it if it looks like a number';
      const text = read(member, isText(value) ? value : undefined, 'must be a string', fix);
      return text === undefined ? undefined : usable(member, text, [text.replace(/\r?\n$/, '')], kind);
    },
    texts: (member) => {
      const value = valueOf(member);
      const items: readonly unknown[] = Array.isArray(value) ? value : [value];
      const problem = 'must be a string or a list of strings';
      const texts = read(member, items.every(isString) ? items : undefined, problem, 'Put quotes where needed');
      return texts === undefined ? undefined : usable(member, texts, texts, 'list');
    },
    flag: (member) => {
      const value = valueOf(member);
      const flag = typeof value === 'boolean' ? value : undefined;
      return read(member, flag, 'must be true or false', 'Set true or false');
    },
    integer: (member, min, max) => {
      const value = valueOf(member);
      const isWhole = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
      const fix = `Set a whole number from ${min} to ${max}`;
      return read(member, isWhole ? value : undefined, 'is out of range or not a whole number', fix);
    },
  };
}

/** The entries, and the problems of the file so far. Reading members adds to the problems. */
export function readIssuerEntries<const Member extends string>(
  text: string,
  file: string,
  members: readonly Member[],
): { entries: readonly IssuerEntry<Member>[]; problems: Problem[] } {
  const problems: Problem[] = [];
  try {
    const { value, positionOf, positionOfKey } = parseStrictYaml({ text, file, maxKibibytes: 256, hidesValues: true });
    if (!Array.isArray(value) || value.length === 0) {
      problems.push({ location: file, problem: 'must be a list of issuers', fix: 'Start it with "- issuer:"' });
      return { entries: [], problems };
    }
    const entries = (value as readonly unknown[]).flatMap((item, index) => {
      if (!isJsonObject(item)) {
        problems.push({
          location: positionOf([index]),
          problem: 'must be an issuer, with its members',
          fix: 'Write "issuer: …" and its other members',
        });
        return [];
      }
      for (const name of Object.keys(item)) {
        if (members.some((member) => member === name)) continue;
        const fix = didYouMean(name, members, `Use ${members.join(', ')}`);
        problems.push({ location: positionOfKey([index, name]), problem: 'is not a member of an issuer', fix });
      }
      return [createEntry<Member>(item, (member) => positionOf([index, member]), problems)];
    });
    return { entries, problems };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { entries: [], problems: [...error.problems] };
  }
}
