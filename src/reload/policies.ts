// The policy in use and its shadow, each reloaded when its file changes: checked, tested, then swapped at once, or
// the old one stays. A request asks current() once and so sees one policy from start to end.
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Configuration, LoadedPolicy } from '../config/load-configuration.ts';
import { requirePolicyTests } from '../config/policy-tests.ts';
import { watchFile, type ReloadOutcome, type WatchedFile } from '../watched-file.ts';
import { decide } from '../policy/decide.ts';
import type { Decision } from '../policy/decision.ts';
import { loadPolicy } from '../policy/compile/load-policy.ts';
import type { Policy } from '../policy/policy.ts';
import { compareShadow } from '../policy/shadow.ts';
import type { Metrics } from '../telemetry/metrics.ts';

interface PoliciesOptions {
  readonly configuration: Configuration;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly pollIntervalMs: number;
}

export interface Policies {
  readonly current: () => Policy;
  /** What the shadow policy would have decided, compared and counted. Never throws. Only if one is configured. */
  readonly compareWithShadow?: (principal: Principal, dataApp: string | undefined, decision: Decision) => void;
  readonly reload: () => Promise<void>;
  readonly close: () => void;
}

interface WatchedPolicy {
  readonly current: () => Policy;
  readonly file: WatchedFile;
}

export function createPolicies({ configuration, metrics, logger, clock, pollIntervalMs }: PoliciesOptions): Policies {
  const { config } = configuration;

  function watch(
    loaded: LoadedPolicy,
    isFit: (policy: Policy) => void,
    onOutcome: (policy: Policy, outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void,
  ): WatchedPolicy {
    let policy = loaded.policy;
    const file = watchFile({
      path: loaded.path,
      initial: loaded.content,
      intervalMs: pollIntervalMs,
      // Its tests are files of their own and may come later.
      retriesRefused: config.policyTestFiles.length > 0,
      accept: (content) => {
        const next = loadPolicy({
          text: content.toString('utf8'),
          file: loaded.path,
          maxLifetimeSeconds: config.maxLifetimeSeconds,
          apiKeyNames: config.apiKeys.map(({ name }) => name),
        });
        isFit(next);
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
    for (const { where, what } of policy.lint) logger.warn({ where, what }, 'the policy has a weak spot');
  };

  const main = watch(
    configuration.policy,
    (policy) => requirePolicyTests(policy, config.policyTestFiles, readFileSync),
    (policy, outcome) => {
      metrics.policyReloads.inc({ result: outcome.kind });
      if (outcome.kind === 'failed') {
        logger.error(
          { problem: outcome.problem, policyRevision: policy.revision },
          'the changed policy was refused; the old one stays',
        );
        return;
      }
      inUse(policy);
      logger.info({ policyRevision: policy.revision }, 'the policy was reloaded');
    },
  );
  inUse(main.current());

  const shadow =
    configuration.shadow === undefined
      ? undefined
      : watch(
          configuration.shadow,
          () => undefined,
          (policy, outcome) => {
            if (outcome.kind === 'changed')
              logger.info({ shadowRevision: policy.revision }, 'the shadow policy was reloaded');
            else logger.warn({ problem: outcome.problem }, 'the changed shadow policy was refused; the old one stays');
          },
        );

  const compareWithShadow = (principal: Principal, dataApp: string | undefined, decision: Decision): void => {
    if (shadow === undefined) return;
    try {
      const shadowDecision = decide(shadow.current(), principal, dataApp, clock.now());
      const differences = compareShadow(decision, shadowDecision);
      metrics.shadowDecisions.inc({ result: differences.length === 0 ? 'same' : 'different' });
      if (differences.length > 0) {
        logger.info({ differences, shadowRevision: shadow.current().revision }, 'the shadow policy decides otherwise');
      }
    } catch (error) {
      metrics.shadowDecisions.inc({ result: 'failed' });
      logger.warn({ err: error }, 'the shadow policy could not be evaluated');
    }
  };

  return {
    current: main.current,
    ...(shadow === undefined ? {} : { compareWithShadow }),
    reload: async () => {
      await Promise.all([main.file.reload({ force: true }), shadow?.file.reload({ force: true })]);
    },
    close: () => {
      main.file.close();
      shadow?.file.close();
    },
  };
}
