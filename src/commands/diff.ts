// diff: compares two policies for given claims, and whether the new one grants more or less.
import { isJsonObject } from '../strict-json.ts';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { claimsPresets } from '../policy/trial/claims-presets.ts';
import { diffPolicies, type DiffSample, type FieldChange, type SampleDiff } from '../policy/trial/policy-diff.ts';
import { loadPolicyTests } from '../policy/trial/policy-test-document.ts';
import { ConfigurationError } from '../problem.ts';
import { type Command, type CommandContext, exitCode, parseWords } from './command.ts';
import { loadTrialPolicy, readTextFile } from './trial-policy.ts';

/** One claims set or a list of them. Throws ConfigurationError, which does not quote the text. */
function samplesOfJson(text: string, name: string): readonly DiffSample[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isJsonObject(value)) return [{ name, claims: value }];
  if (Array.isArray(value) && value.length > 0 && value.every(isJsonObject))
    return value.map((claims, i) => ({ name: `${name} #${i + 1}`, claims }));
  const fix = 'Write a JSON object with the claims, or a list of them';
  throw new ConfigurationError([{ location: name, problem: 'contains no claims', fix }]);
}

function samplesOfFile(path: string, context: CommandContext): readonly DiffSample[] {
  const text = readTextFile(path, context);
  if (!/\.ya?ml$/.test(path)) return samplesOfJson(text, path);
  const { tests } = loadPolicyTests({ text, file: path });
  return tests.map(({ name, claims, dataApp }) => ({ name, claims, dataApp }));
}

/** `presets`: all of them; `preset:okta`: that one. Throws ConfigurationError for an unknown name. */
function samplesOfPresets(argument: string): readonly DiffSample[] {
  const wanted = argument.slice('preset:'.length);
  const chosen = claimsPresets.filter(({ name }) => argument === 'presets' || name === wanted);
  if (chosen.length > 0) return chosen.map(({ title, claims }) => ({ name: title, claims }));
  const names = claimsPresets.map(({ name }) => name).join(', ');
  throw new ConfigurationError([
    {
      location: '--claims',
      problem: 'there is no such preset',
      fix: `Use preset: with one of ${names}; or presets for all`,
    },
  ]);
}

async function samplesOf(argument: string, context: CommandContext): Promise<readonly DiffSample[]> {
  if (argument === 'presets' || argument.startsWith('preset:')) return samplesOfPresets(argument);
  if (argument === '-') return samplesOfJson(await context.stdin(), 'standard input');
  if (argument.trimStart().startsWith('{')) return samplesOfJson(argument, 'the claims');
  const isFolder = statSync(resolve(context.cwd, argument), { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder) return samplesOfFile(argument, context);
  const files = readdirSync(resolve(context.cwd, argument)).filter((name) =>
    /\.(?:json|policy-test\.yaml)$/.test(name),
  );
  return files.sort().flatMap((name) => samplesOfFile(join(argument, name), context));
}

const shown = (change: FieldChange, side: 'before' | 'after'): string =>
  change[side] === undefined ? 'absent' : JSON.stringify(change[side]);

const textLines = (diffs: readonly SampleDiff[]): readonly string[] =>
  diffs.flatMap(({ name, dataApp, changes }) => [
    `${name} (${dataApp || 'no data app named'})`,
    ...changes.map(
      (change) =>
        `  ${change.direction.padEnd(8)}  ${change.path}: ${shown(change, 'before')} → ${shown(change, 'after')}`,
    ),
  ]);

const cell = (text: string): string =>
  text
    .replace(/[\r\n]+/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('`', "'");

const markdownLines = (diffs: readonly SampleDiff[]): readonly string[] => [
  '| claims | data app | field | before | after | direction |',
  '|---|---|---|---|---|---|',
  ...diffs.flatMap(({ name, dataApp, changes }) =>
    changes.map((change) => {
      const values = [shown(change, 'before'), shown(change, 'after')].map((value) => `\`${cell(value)}\``).join(' | ');
      const direction = change.direction === 'wider' ? '**wider**' : change.direction;
      return `| ${cell(name)} | ${cell(dataApp || 'none named')} | \`${cell(change.path)}\` | ${values} | ${direction} |`;
    }),
  ),
];

export const diffCommand: Command = {
  name: 'diff',
  help: `Usage: guest-token-proxy diff --policy <old> --with <new> --claims <file, folder, JSON, preset or ->… [--data-app <name>]
                                [--json | --markdown] [--fail-on wider | changed]

Evaluates both policies for every set of claims. Shows each field of the body that differs, and whether the new policy
grants more (wider), less (narrower) or something else (changed). Needs no keys or secrets. Mints nothing.

  --policy    the old policy
  --with      the new policy
  --claims    a JSON object or list of them, a file with one, a file of policy tests, a folder of both, or - for
              standard input; preset:<name> for the token shape of an identity provider, presets for all of them;
              may be given several times
  --data-app  only this data app (default: all, or the one that a policy test names)
  --json      for machines
  --markdown  a table for a pull request
  --fail-on   wider: exit code 1 if anything is wider; changed: also if a direction cannot be determined

Settings: TOKEN_MAX_LIFETIME_SECONDS. Exit code 0 otherwise, also if something differs; 78 if a file does not load.
`,
  run: async (context) => {
    const words = parseWords(diffCommand, context, {
      policy: { type: 'string' },
      with: { type: 'string' },
      claims: { type: 'string', multiple: true },
      'data-app': { type: 'string' },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      'fail-on': { type: 'string' },
    });
    if ('exit' in words) return words.exit;
    const { policy, with: other, claims, 'data-app': dataApp, json, markdown, 'fail-on': failOn } = words.values;
    const usage = (problem: string): number => {
      context.err(`diff: ${problem}. Try --help.\n`);
      return exitCode.usage;
    };
    if (policy === undefined || other === undefined) return usage('--policy and --with are needed');
    if (claims === undefined) return usage('--claims is missing');
    if (json && markdown) return usage('give either --json or --markdown');
    if (failOn !== undefined && failOn !== 'wider' && failOn !== 'changed')
      return usage('--fail-on takes wider or changed');

    try {
      const samples = (await Promise.all(claims.map((argument) => samplesOf(argument, context)))).flat();
      if (samples.length === 0) return usage('--claims names no claims');
      const requested = dataApp === undefined ? samples : samples.map((sample) => ({ ...sample, dataApp }));
      const diffs = diffPolicies(loadTrialPolicy(context, policy), loadTrialPolicy(context, other), requested);
      const nothing = `No difference for ${samples.length} set${samples.length === 1 ? '' : 's'} of claims.`;
      if (json) context.out(`${JSON.stringify(diffs, null, 2)}\n`);
      else if (diffs.length === 0) context.out(`${nothing}\n`);
      else context.out(`${(markdown ? markdownLines(diffs) : textLines(diffs)).join('\n')}\n`);
      const fails = (direction: FieldChange['direction']): boolean =>
        direction === 'wider' ? failOn !== undefined : direction === 'changed' && failOn === 'changed';
      const hasFailed = diffs.some(({ changes }) => changes.some(({ direction }) => fails(direction)));
      return hasFailed ? exitCode.checkFailed : exitCode.ok;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      context.err(`${error.message}\n`);
      return exitCode.configuration;
    }
  },
};
