// The policy in use and its shadow. A changed file is checked, tested and then applied at once; if it is refused, the
// old policy stays in use. A request calls current() once, so it uses one policy from start to end.
import { hash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Configuration, LoadedPolicy } from '../config/load-configuration.ts';
import type { ReadFileAsync } from '../file-reader.ts';
import { watchFile, type ReloadOutcome, type WatchedFile } from '../watched-file.ts';
import { decide } from '../policy/decide.ts';
import type { Decision } from '../policy/decision.ts';
import { loadPolicy } from '../policy/compile/load-policy.ts';
import { ConfigurationError } from '../problem.ts';
import type { Policy } from '../policy/policy.ts';
import { compareShadow } from '../policy/shadow.ts';
import { requirePolicyTests } from '../policy/trial/required-tests.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { archiveProblem, createPolicyArchive, type PolicyArchive } from './policy-archive.ts';

interface PoliciesOptions {
  readonly configuration: Configuration;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly readFile: ReadFileAsync;
  readonly pollIntervalMs: number;
}

export interface Policies {
  readonly current: () => Policy;
  /**
   * Compares a decision with that of the shadow policy and counts the result. Never throws. Only if one is configured.
   */
  readonly compareWithShadow?:
    | ((principal: Principal, dataApp: string | undefined, decision: Decision) => void)
    | undefined;
  readonly reload: () => Promise<void>;
  readonly close: () => void;
}

interface WatchedPolicy {
  readonly current: () => Policy;
  readonly file: WatchedFile;
}

/** The current content of the test files, or the error of reading them. */
async function readAll(
  paths: readonly string[],
  readFile: ReadFileAsync,
): Promise<ReadonlyMap<string, Buffer | Error>> {
  const contents = paths.map(async (path): Promise<readonly [string, Buffer | Error]> => {
    try {
      return [path, await readFile(path)];
    } catch (error) {
      return [path, error instanceof Error ? error : new Error('unknown error')];
    }
  });
  return new Map(await Promise.all(contents));
}

const contentsHash = (files: ReadonlyMap<string, Buffer | Error>): string =>
  [...files.values()].map((file) => (Buffer.isBuffer(file) ? hash('sha256', file) : file.message)).join(' ');

/** Archives each policy before it is used. If that fails, the policy is refused, and retried at every poll. */
function createArchiving(folder: string, options: Pick<PoliciesOptions, 'clock' | 'logger'>) {
  const { clock, logger } = options;
  const archive: PolicyArchive = createPolicyArchive({ folder, now: clock.now });
  let failures = 0;
  return {
    keep: async (text: string): Promise<void> => {
      try {
        const removed = await archive.keep(text);
        failures = 0;
        if (removed > 0) logger.warn({ removed }, 'the archive of policies is full; the oldest were removed');
      } catch (error) {
        failures += 1;
        throw new ConfigurationError([archiveProblem(error)]);
      }
    },
    /** Changes with every failure, so that the same policy is tried again. */
    state: (): string => `${failures} failures`,
  };
}

export function createPolicies(options: PoliciesOptions): Policies {
  const { configuration, metrics, logger, clock, readFile, pollIntervalMs } = options;
  const { settings } = configuration;
  const archiving =
    settings.policyArchiveDir === undefined ? undefined : createArchiving(settings.policyArchiveDir, options);

  function watch(
    loaded: LoadedPolicy,
    testFiles: readonly string[],
    archiveOf: typeof archiving,
    onOutcome: (policy: Policy, outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void,
  ): WatchedPolicy {
    let policy = loaded.policy;
    const file = watchFile({
      path: loaded.path,
      readFile,
      initial: loaded.content,
      intervalMs: pollIntervalMs,
      // The tests are separate files and may change later.
      dependsOn: async () => `${contentsHash(await readAll(testFiles, readFile))} ${archiveOf?.state() ?? ''}`,
      accept: async (content) => {
        const tests = await readAll(testFiles, readFile);
        const text = content.toString('utf8');
        const next = loadPolicy({
          text,
          file: loaded.path,
          maxLifetimeSeconds: settings.maxLifetimeSeconds,
          apiKeyNames: settings.apiKeys.map(({ name }) => name),
        });
        requirePolicyTests(next, testFiles, (path) => {
          const test = tests.get(path);
          if (Buffer.isBuffer(test)) return test;
          throw test ?? new Error('was not read');
        });
        await archiveOf?.keep(text);
        policy = next;
      },
      onOutcome: (outcome) => onOutcome(policy, outcome),
    });
    return { current: () => policy, file };
  }

  const inUse = (policy: Policy): void => {
    metrics.policyInfo.reset();
    metrics.policyInfo.set({ revision: policy.revision }, 1);
    metrics.policyLastSuccess.set(clock.now() / 1000);
    for (const { location, problem } of policy.lint)
      logger.warn({ location, problem }, 'the policy has a lint warning');
  };

  const active = watch(configuration.policy, settings.policyTestFiles, archiving, (policy, outcome) => {
    metrics.policyReloads.inc({ result: outcome.kind });
    if (outcome.kind === 'failed') {
      logger.error(
        { problem: outcome.problem, policyRevision: policy.revision },
        'the changed policy was refused; the old one stays in use',
      );
      return;
    }
    inUse(policy);
    logger.info({ policyRevision: policy.revision }, 'the policy was reloaded');
  });
  inUse(active.current());

  const shadow =
    configuration.shadow === undefined
      ? undefined
      : watch(configuration.shadow, [], undefined, (policy, outcome) => {
          if (outcome.kind === 'changed')
            logger.info({ shadowRevision: policy.revision }, 'the shadow policy was reloaded');
          else
            logger.warn(
              { problem: outcome.problem },
              'the changed shadow policy was refused; the old one stays in use',
            );
        });

  const compareWithShadow = (principal: Principal, dataApp: string | undefined, decision: Decision): void => {
    if (shadow === undefined) return;
    try {
      const shadowDecision = decide(shadow.current(), principal, dataApp, clock.now());
      const differences = compareShadow(decision, shadowDecision);
      metrics.shadowDecisions.inc({ result: differences.length === 0 ? 'same' : 'different' });
      if (differences.length > 0) {
        logger.info(
          { differences, shadowRevision: shadow.current().revision },
          'the shadow policy decides differently',
        );
      }
    } catch (error) {
      metrics.shadowDecisions.inc({ result: 'failed' });
      logger.warn({ err: error }, 'the shadow policy could not be evaluated');
    }
  };

  return {
    current: active.current,
    compareWithShadow: shadow && compareWithShadow,
    reload: async () => {
      await Promise.all([active.file.reload({ force: true }), shadow?.file.reload({ force: true })]);
    },
    close: () => {
      active.file.close();
      shadow?.file.close();
    },
  };
}
