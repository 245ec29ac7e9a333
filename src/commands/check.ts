// check: reports everything that would stop the start, and lint warnings, without starting the service.
import type { Settings } from '../config/read-settings.ts';
import { createEgress } from '../egress/egress.ts';
import type { LoadedPolicy } from '../config/load-configuration.ts';
import { checkDataApp } from '../policy/trial/check-data-app.ts';
import type { DataAppPolicy, Policy } from '../policy/policy.ts';
import { toLine, type Problem } from '../problem.ts';
import { type Command, type CommandContext, exitCode, parseWords } from './command.ts';
import { fetchListing } from './embeds-listing.ts';
import { checkIssuers } from './live-issuers.ts';
import { exitCodeOf, loadConfigurationFor, storedSecretsFor } from './command-configuration.ts';

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

function okLine({ policy, path }: LoadedPolicy): string {
  const names = [...policy.dataApps.values()].map(({ name, isDefault }) => (isDefault ? `${name} (default)` : name));
  return `ok: ${path}, revision ${policy.revision}, ${count(names.length, 'data app')}: ${names.join(', ')}`;
}

async function checkOneLive(dataApp: DataAppPolicy, settings: Settings): Promise<readonly Problem[] | string> {
  const key = settings.apiKeys.find(({ name }) => name === dataApp.apiKeyName)?.value;
  if (key === undefined)
    return [{ location: dataApp.apiKeyName, problem: 'is not set', fix: 'Set the key of the data app' }];
  const { url, deadlineMs } = settings.databrain;
  const result = await fetchListing(createEgress(settings.egress), url, key, deadlineMs);
  if ('failure' in result) {
    const { at, problem, fix } = result.failure;
    return [{ location: at === 'key' ? dataApp.apiKeyName : 'DATABRAIN_API_URL', problem, fix }];
  }
  const problems = checkDataApp(dataApp, result.listing);
  if (problems.length > 0) return problems;
  const checked = dataApp.references.filter(({ kind }) => kind !== 'metric').length;
  return `live: ${dataApp.name}: the key in ${dataApp.apiKeyName} works, ${count(checked, 'id')} found`;
}

/** Checks every data app with Databrain, one after the other, because all calls share one small rate limit. */
async function checkLive(policy: Policy, settings: Settings, context: CommandContext): Promise<boolean> {
  const reported = new Set<string>();
  for (const dataApp of policy.dataApps.values()) {
    const result = await checkOneLive(dataApp, settings);
    if (typeof result === 'string') {
      context.out(`${result}\n`);
      continue;
    }
    for (const line of result.map(toLine)) {
      if (!reported.has(line)) context.err(`${line}\n`);
      reported.add(line);
    }
  }
  return reported.size === 0;
}

async function checkIssuersLive(settings: Settings, context: CommandContext): Promise<boolean> {
  const { lines, problems } = await checkIssuers(settings, context.clock);
  for (const line of lines) context.out(`${line}\n`);
  for (const problem of problems) context.err(`${toLine(problem)}\n`);
  return problems.length === 0;
}

export const checkCommand: Command = {
  name: 'check',
  help: `Usage: guest-token-proxy check [--policy <file>] [--strict] [--live]

Validates all settings, the policy files and POLICY_TEST_FILES, and checks that POLICY_ARCHIVE_DIR can be written. Prints
every problem at once, one line each: location, problem, fix. Also prints lint warnings of the policy, and the source of
each secret. Secrets in stores (X_VAULT and similar) are read, but never printed.

  --policy  the policy file (default: the setting POLICY_FILE)
  --strict  lint warnings fail the check
  --live    also asks Databrain whether keys, data apps, embed ids and dashboard ids exist, and fetches every issuer's
            metadata and keys; mints nothing

Exit code 78 if the service would not start, 1 if --strict or --live finds something, or if a secret store is unavailable.
`,
  run: async (context) => {
    const words = parseWords(checkCommand, context, {
      policy: { type: 'string' },
      strict: { type: 'boolean', default: false },
      live: { type: 'boolean', default: false },
    });
    if ('exit' in words) return words.exit;
    const { strict, live, policy: policyFile } = words.values;
    const stored = await storedSecretsFor(context);
    try {
      const { settings, policy, shadow } = await loadConfigurationFor(context, stored, policyFile);
      const warnings = [...settings.warnings, ...policy.policy.lint, ...(shadow?.policy.lint ?? [])];
      for (const warning of warnings) context.err(`${strict ? '' : 'warning: '}${toLine(warning)}\n`);
      for (const name of settings.insecure)
        context.err(`warning: ${name}: is an insecure setting. Remove it in production.\n`);
      const livePassed =
        !live ||
        (await Promise.all([checkLive(policy.policy, settings, context), checkIssuersLive(settings, context)])).every(
          Boolean,
        );
      if ((strict && warnings.length > 0) || !livePassed) return exitCode.checkFailed;
      context.out(`${okLine(policy)}\n`);
      if (shadow !== undefined) context.out(`${okLine(shadow)} (shadow)\n`);
      for (const { name, origin } of settings.secretOrigins) context.out(`secret: ${name} was read from ${origin}\n`);
      return exitCode.ok;
    } catch (error) {
      return exitCodeOf(error, context);
    } finally {
      await stored.close();
    }
  },
};
