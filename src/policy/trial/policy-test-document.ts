// Parses a *.policy-test.yaml file strictly: an unknown key or a wrong type is a problem with its position, because a
// test that silently does not run is worse than no test.
import { isJsonObject, type JsonObject } from '../../strict-json.ts';
import type { Claims } from '../../authn/principal.ts';
import { didYouMean } from '../../did-you-mean.ts';
import { ConfigurationError, type Problem } from '../../problem.ts';
import { parseStrictYaml, type Path, type YamlDocument } from '../../strict-yaml.ts';

/** The expected denial. */
export const denialKeys = ['reason', 'code', 'claim', 'message'] as const;

export type ExpectedDenial = Readonly<Partial<Record<(typeof denialKeys)[number], string | undefined>>>;

export type Expectation =
  | { readonly kind: 'request'; readonly body: unknown }
  | { readonly kind: 'denied'; readonly denial: ExpectedDenial };

export interface PolicyTest {
  readonly name: string;
  /** `file:line:column` of the test. */
  readonly position: string;
  readonly claims: Claims;
  /** The data app that the browser names; absent: the default one. */
  readonly dataApp?: string | undefined;
  readonly expectation: Expectation;
}

export interface PolicyTestDocument {
  /** The file's name as given. */
  readonly file: string;
  /** The policy under test, relative to the file, if named. */
  readonly policy?: string | undefined;
  readonly tests: readonly PolicyTest[];
}

const maxKibibytes = 1024;

/** Reads members of the file and collects problems with their positions. */
function createTestReader(document: YamlDocument) {
  const problems: Problem[] = [];

  const report = (path: Path, problem: string, fix: string): undefined => {
    problems.push({ location: document.positionOf(path), problem, fix });
    return undefined;
  };
  const text = (map: JsonObject, path: Path, name: string): string | undefined => {
    if (!Object.hasOwn(map, name)) return undefined;
    const value = map[name];
    if (typeof value === 'string' && value !== '') return value;
    return report([...path, name], `${name} must be a string`, 'Write a string, in quotes if needed');
  };
  /** Reports every key but the known ones. */
  const checkKeys = (map: JsonObject, path: Path, known: readonly string[]): void => {
    for (const name of Object.keys(map)) {
      if (known.includes(name)) continue;
      const fix = didYouMean(name, known, `Use ${known.join(', ')}`);
      problems.push({ location: document.positionOfKey([...path, name]), problem: `"${name}" is not a key here`, fix });
    }
  };
  /** A claims set; empty when absent. */
  const claims = (map: JsonObject, path: Path): JsonObject => {
    if (!Object.hasOwn(map, 'claims')) return {};
    if (isJsonObject(map['claims'])) return map['claims'];
    report([...path, 'claims'], 'claims must be a map', 'Write the claims set as name: value');
    return {};
  };
  return { problems, report, text, checkKeys, claims };
}

type TestReader = ReturnType<typeof createTestReader>;

function readDenial({ report, checkKeys, text }: TestReader, value: unknown, path: Path): Expectation | undefined {
  if (value === true) return { kind: 'denied', denial: {} };
  if (typeof value === 'string' && value !== '') return { kind: 'denied', denial: { reason: value } };
  if (!isJsonObject(value))
    return report(path, 'denied is empty', 'Write a reason, { reason, message, claim } or true');
  checkKeys(value, path, denialKeys);
  const [reason, code, claim, message] = denialKeys.map((key) => text(value, path, key));
  return { kind: 'denied', denial: { reason, code, claim, message } };
}

function readExpectation(reader: TestReader, test: JsonObject, testPath: Path): Expectation | undefined {
  const { report, checkKeys, problems } = reader;
  const path = [...testPath, 'expect'];
  if (!Object.hasOwn(test, 'expect'))
    return report(testPath, 'the test expects nothing', 'Add expect with request or denied');
  const value = test['expect'];
  if (value === 'denied') return { kind: 'denied', denial: {} };
  if (!isJsonObject(value)) return report(path, 'expect must be a map', 'Write request or denied below it');
  const before = problems.length;
  checkKeys(value, path, ['request', 'denied']);
  const hasRequest = Object.hasOwn(value, 'request');
  const hasDenied = Object.hasOwn(value, 'denied');
  if (hasRequest === hasDenied) {
    // A misspelt key was reported already.
    if (!hasRequest && problems.length > before) return undefined;
    return report(path, 'expect needs either request or denied', 'Keep exactly one of the two');
  }
  if (hasDenied) return readDenial(reader, value['denied'], [...path, 'denied']);
  const body = value['request'];
  if (isJsonObject(body)) return { kind: 'request', body };
  return report([...path, 'request'], 'request must be a map', 'Write the whole body that would be sent');
}

function readTest(
  reader: TestReader,
  document: YamlDocument,
  path: Path,
  test: unknown,
  base: Claims,
): PolicyTest | undefined {
  const { report, checkKeys, text } = reader;
  if (!isJsonObject(test)) return report(path, 'a test must be a map', 'Write name, claims and expect');
  checkKeys(test, path, ['name', 'claims', 'without', 'dataApp', 'expect']);
  const name = text(test, path, 'name');
  if (!Object.hasOwn(test, 'name'))
    report(path, 'the test has no name', 'Add name: a sentence that describes the test');
  const dataApp = text(test, path, 'dataApp');
  const all = new Map<string, unknown>([...Object.entries(base), ...Object.entries(reader.claims(test, path))]);
  const without: unknown = Object.hasOwn(test, 'without') ? test['without'] : [];
  if (!Array.isArray(without) || !without.every((absent) => typeof absent === 'string'))
    report([...path, 'without'], 'without must be a list of claim names', 'Write [name, …]');
  else if (without.filter((absent) => !all.delete(absent)).length > 0)
    report([...path, 'without'], 'without names a claim that does not exist', 'Remove or correct it');
  const expectation = readExpectation(reader, test, path);
  if (name === undefined || expectation === undefined) return undefined;
  return { name, position: document.positionOf(path), claims: Object.fromEntries(all), dataApp, expectation };
}

/**
 * Reads a file of policy tests: `{ policy?, claims?, tests }`, a list of tests, or one test.
 * Throws ConfigurationError with all problems, each at `file:line:column`.
 */
export function loadPolicyTests({ text, file }: { readonly text: string; readonly file: string }): PolicyTestDocument {
  const document = parseStrictYaml({ text, file, maxKibibytes, lenient: true });
  const reader = createTestReader(document);
  const { report, problems } = reader;

  const root = document.value;
  const readAll = (tests: readonly unknown[], path: Path, base: Claims): readonly PolicyTest[] => {
    if (tests.length === 0) report([], 'there are no tests', 'Write at least one');
    return tests.flatMap((test, i) => readTest(reader, document, [...path, i], test, base) ?? []);
  };
  let tests: readonly PolicyTest[] = [];
  let policy: string | undefined;
  if (Array.isArray(root)) tests = readAll(root, [], {});
  else if (isJsonObject(root) && Object.hasOwn(root, 'name') && !Object.hasOwn(root, 'tests')) {
    const test = readTest(reader, document, [], root, {});
    if (test !== undefined) tests = [test];
  } else if (isJsonObject(root)) {
    reader.checkKeys(root, [], ['policy', 'claims', 'tests']);
    policy = reader.text(root, [], 'policy');
    const list = root['tests'];
    if (Array.isArray(list)) tests = readAll(list, ['tests'], reader.claims(root, []));
    else
      report(
        Object.hasOwn(root, 'tests') ? ['tests'] : [],
        'there is no list of tests',
        'Add tests: with a list of tests below it',
      );
  } else report([], 'there are no tests', 'Write tests: with a list of tests below it');
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { file, policy, tests };
}
