// test: runs policy tests and reports rules and branches without coverage.
import { readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import { coveredPercent } from '../policy/trial/coverage.ts';
import { toJUnit, type JUnitSuite } from '../policy/trial/junit.ts';
import { loadPolicyTests, type PolicyTestDocument } from '../policy/trial/policy-test-document.ts';
import { coverageLines, resultLines } from '../policy/trial/policy-test-report.ts';
import { runPolicyTests, type PolicyTestRun } from '../policy/trial/policy-test-run.ts';
import type { Policy } from '../policy/policy.ts';
import { ConfigurationError, type Problem, systemErrorCode, collectProblems } from '../problem.ts';
import { type Command, type CommandContext, exitCode, parseWords } from './command.ts';
import { loadTrialPolicy, policyFileSetting, readTextFile, withPolicyFile } from './trial-policy.ts';

const suffix = '.policy-test.yaml';

/** All test files in the folder of POLICY_FILE, by name. */
function testFilesBesidePolicy(context: CommandContext): readonly string[] {
  const folder = dirname(policyFileSetting(context));
  let names: readonly string[];
  try {
    names = readdirSync(resolve(context.cwd, folder));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => join(folder, name));
}

/** The tests of one policy, from one or several files. */
interface Group {
  readonly policy: Policy;
  readonly documents: PolicyTestDocument[];
}

/**
 * Reads the files and the policies they are about, or the one that --policy names. Throws ConfigurationError with the
 * problems of all.
 */
function loadGroups(
  files: readonly string[],
  context: CommandContext,
  policyFile: string | undefined,
): readonly Group[] {
  const problems: Problem[] = [];
  const groups = new Map<string, Group | undefined>();
  for (const file of files) {
    const document = collectProblems(problems, () => loadPolicyTests({ text: readTextFile(file, context), file }));
    if (document === undefined) continue;
    const named = policyFile ?? (document.policy && join(dirname(file), document.policy));
    const path = resolve(context.cwd, named ?? policyFileSetting(context));
    if (!groups.has(path)) {
      const policy = collectProblems(problems, () => loadTrialPolicy(context, named));
      groups.set(path, policy === undefined ? undefined : { policy, documents: [] });
    }
    groups.get(path)?.documents.push(document);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return [...groups.values()].filter((group) => group !== undefined);
}

interface GroupRun {
  readonly group: Group;
  readonly run: PolicyTestRun;
  readonly suites: readonly JUnitSuite[];
}

function runGroup(group: Group, clock: Clock): GroupRun {
  const start = clock.monotonic();
  const run = runPolicyTests(
    group.policy,
    group.documents.flatMap(({ tests }) => tests),
  );
  const share = (clock.monotonic() - start) / Math.max(1, run.results.length);
  const suites = group.documents.map(({ file, tests }): JUnitSuite => {
    const results = run.results.filter(({ test }) => tests.includes(test));
    return { name: file, results, durationMs: share * results.length };
  });
  return { group, run, suites };
}

function printRun({ group, run, suites }: GroupRun, context: CommandContext): void {
  const { policy } = group;
  const lines = suites.flatMap(({ name, results }) => [
    `${name}  (${basename(policy.file)}, revision ${policy.revision})`,
    ...results.flatMap(resultLines).map((line) => `  ${line}`),
  ]);
  const passed = run.results.length - run.failed;
  context.out(
    `${[...lines, `${passed} passed, ${run.failed} failed`, ...coverageLines(run.coverage), ''].join('\n')}\n`,
  );
}

function writeReport(path: string, runs: readonly GroupRun[], context: CommandContext): boolean {
  try {
    writeFileSync(resolve(context.cwd, path), toJUnit(runs.flatMap(({ suites }) => suites)));
    return true;
  } catch (error) {
    context.err(`test: the file for --junit cannot be written (${systemErrorCode(error)}). Try --help.\n`);
    return false;
  }
}

export const testCommand: Command = {
  name: 'test',
  help: `Usage: guest-token-proxy test [files…] [--policy <file>] [--junit <file>] [--coverage-min <percent>]

Runs policy tests: compares the whole body that would be sent, or the refusal, with what each test expects.
Prints differences with the expressions that caused them, and every rule and branch without coverage.
Without files: every *${suffix} in the folder of the policy file. Needs no keys or secrets. Mints nothing.

  --policy        the policy file, instead of those that the test files name (default: the setting POLICY_FILE)
  --junit         writes the results as JUnit XML, for CI
  --coverage-min  fails if the coverage of a policy's rules and branches is lower, 0 to 100

Settings: POLICY_FILE (for test files that name no policy), TOKEN_MAX_LIFETIME_SECONDS.
Exit code 1 if a test fails or there is none, 78 if a file does not load.
`,
  run: async (commandContext) => {
    const options = {
      policy: { type: 'string' },
      junit: { type: 'string' },
      'coverage-min': { type: 'string', default: '0' },
    } as const;
    const words = parseWords(testCommand, commandContext, options, true);
    if ('exit' in words) return words.exit;
    const { policy: policyFile } = words.values;
    const context = withPolicyFile(commandContext, policyFile);
    const { junit, 'coverage-min': coverageMin } = words.values;
    const minPercent = /^\d{1,3}$/.test(coverageMin) ? Number(coverageMin) : Number.NaN;
    if (!(minPercent <= 100)) {
      context.err('test: --coverage-min is not a whole number from 0 to 100. Try --help.\n');
      return exitCode.usage;
    }
    try {
      const files = words.positionals.length > 0 ? words.positionals : testFilesBesidePolicy(context);
      if (files.length === 0) {
        context.err(
          `test: there is no *${suffix} in the folder of ${policyFileSetting(context)}. Nothing was tested.\n`,
        );
        return exitCode.checkFailed;
      }
      const runs = loadGroups(files, context, policyFile).map((group) => runGroup(group, context.clock));
      for (const run of runs) printRun(run, context);
      if (junit !== undefined && !writeReport(junit, runs, context)) return exitCode.usage;
      const uncovered = runs.filter(({ run }) => coveredPercent(run.coverage) < minPercent);
      for (const { group } of uncovered) context.err(`${group.policy.file}: coverage is below ${minPercent} %\n`);
      const failed = runs.some(({ run }) => run.failed > 0) || uncovered.length > 0;
      return failed ? exitCode.checkFailed : exitCode.ok;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      context.err(`${error.message}\n`);
      return exitCode.configuration;
    }
  },
};
