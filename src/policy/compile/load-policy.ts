// From the policy file's text to a Policy, or every problem at once: YAML, structure, then
// variables and each data app with its expressions, rules and lint.
import { memberOf } from '../../strict-json.ts';
import { createHash } from 'node:crypto';
import { ConfigurationError, LoadProblem, type Problem } from '../../problem.ts';
import { compileAnchoredPattern } from './anchored-pattern.ts';
import { compileDataApp, type Pattern } from './compile-data-app.ts';
import type { DataAppDocument } from '../document/policy-schema.ts';
import { lintPolicy } from './lint-policy.ts';
import { createPolicyCompiler, type PolicyCompiler } from './policy-compiler.ts';
import { parseStrictYaml } from '../../strict-yaml.ts';
import type { DataAppPolicy, Policy } from '../policy.ts';
import { structureProblems } from '../document/structure-problems.ts';
import { createTimeZoneRule } from './value-rules.ts';

export interface LoadPolicyOptions {
  readonly text: string;
  /** The file's name, for positions. */
  readonly file: string;
  /** Upper bound for every `expiresIn`. */
  readonly maxLifetimeSeconds: number;
  /** Settings that hold an API key; absent: the policy's `apiKey`s are not checked. */
  readonly apiKeyNames?: Iterable<string> | undefined;
}

/** The structure is already validated by policy-schema.ts. */
interface PolicyFile {
  readonly dataApps: Readonly<Record<string, DataAppDocument>>;
}

/** First 12 hex digits of the SHA-256 of a policy file's text. */
export const policyRevision = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** In the order of the file. */
function byPosition(a: Problem, b: Problem): number {
  const [, aLine = 0, aColumn = 0] = (/:(\d+):(\d+)$/.exec(a.location) ?? []).map(Number);
  const [, bLine = 0, bColumn = 0] = (/:(\d+):(\d+)$/.exec(b.location) ?? []).map(Number);
  return aLine - bLine || aColumn - bColumn;
}

/** Each pattern is compiled once, however many data apps it is for. */
function patternReader(root: unknown, compiler: PolicyCompiler): (path: readonly string[]) => Pattern | undefined {
  const read = new Map<string, Pattern | undefined>();
  const compile = (path: readonly string[]): Pattern | undefined => {
    const source = path.reduce(memberOf, root);
    if (typeof source !== 'string') return undefined;
    try {
      return { pattern: source, matches: compileAnchoredPattern(source) };
    } catch (error) {
      if (!(error instanceof LoadProblem)) throw error;
      compiler.report(path, error.problem, error.fix);
      return undefined;
    }
  };
  return (path) => {
    const name = JSON.stringify(path);
    if (!read.has(name)) read.set(name, compile(path));
    return read.get(name);
  };
}

/** Throws ConfigurationError with all problems, each at `file:line:column`. */
export function loadPolicy({ text, file, maxLifetimeSeconds, apiKeyNames }: LoadPolicyOptions): Policy {
  const document = parseStrictYaml({ text, file, maxKibibytes: 512 });
  const compiler = createPolicyCompiler(document);
  const variables = memberOf(document.value, 'variables') ?? {};
  for (const [name, expression] of Object.entries(variables)) compiler.defineVariable(name, expression);

  const structural = structureProblems(document);
  if (structural.length > 0) {
    compiler.checkExpressions(['dataApps'], memberOf(document.value, 'dataApps'));
    throw new ConfigurationError([...structural, ...compiler.problems].sort(byPosition));
  }
  const { dataApps } = document.value as PolicyFile;

  const patternAt = patternReader(document.value, compiler);
  const timeZone = createTimeZoneRule();
  const keyNames = apiKeyNames === undefined ? undefined : new Set(apiKeyNames);
  const compiled = new Map<string, DataAppPolicy>();
  let defaultDataApp: DataAppPolicy | undefined;
  for (const [name, app] of Object.entries(dataApps)) {
    const options = { compiler, document, maxLifetimeSeconds, apiKeyNames: keyNames, timeZone, patternAt };
    const dataApp = compileDataApp(name, app, options);
    if (dataApp === undefined) continue;
    compiled.set(name, dataApp);
    if (!dataApp.isDefault) continue;
    if (defaultDataApp !== undefined)
      compiler.report(
        ['dataApps', name, 'default'],
        `"${defaultDataApp.name}" is already the default`,
        'Keep default: true for one data app only',
      );
    defaultDataApp ??= dataApp;
  }
  if (compiler.problems.length > 0) throw new ConfigurationError(compiler.problems.sort(byPosition));

  return Object.freeze({
    file,
    revision: policyRevision(text),
    lint: lintPolicy(dataApps, compiler.sites, document),
    sites: compiler.sites,
    dataApps: compiled,
    defaultDataApp,
    variableCount: compiler.variableCount(),
  });
}
