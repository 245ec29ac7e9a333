// What the stages tell (their event interfaces), turned into metrics and log lines. Stages know neither of these.
import type { Logger } from 'pino';
import type { KeySetEvents } from '../authn/keys/key-set.ts';
import type { ReloadOutcome } from '../watched-file.ts';
import type { CircuitState } from '../databrain/circuit.ts';
import type { IssueEvents } from '../guest-token/issue.ts';
import type { UpstreamEvents } from '../databrain/upstream-events.ts';
import type { RedisEvents } from '../redis/redis-link.ts';
import { metricTable } from './metric-table.ts';
import type { Metrics } from './metrics.ts';

/**
 * Gives what is counted per configured name its first value: for Prometheus the first failure would not be an increase
 * otherwise.
 */
export function countFromZero(
  metrics: Metrics,
  names: { readonly apiKeys: readonly string[]; readonly secrets: readonly string[] },
): void {
  for (const setting of names.apiKeys) metrics.upstreamKeyRefused.inc({ setting }, 0);
  for (const setting of names.secrets)
    for (const result of metricTable.secretReloads.labels.result) metrics.secretReloads.inc({ setting, result }, 0);
}

const circuitValue: Readonly<Record<CircuitState, number>> = { closed: 0, half_open: 0.5, open: 1 };

export function observeUpstream(metrics: Metrics, logger: Logger): UpstreamEvents {
  return {
    attempt: ({ result, durationMs, upstreamCode, errorCode }) => {
      metrics.upstreamCalls.inc({ result });
      metrics.upstreamSeconds.observe(durationMs / 1000);
      if (result !== 'token')
        logger.warn({ result, upstreamCode, errorCode, durationMs }, 'a call to Databrain failed');
    },
    retry: () => metrics.upstreamRetries.inc(),
    circuit: (state) => {
      metrics.circuit.set(circuitValue[state]);
      logger.warn({ state }, 'the circuit to Databrain changed');
    },
    slowedDown: (callsPerSecond) => logger.warn({ callsPerSecond }, 'Databrain limits us; calling more slowly'),
    keyRefused: (setting) => {
      metrics.upstreamKeyRefused.inc({ setting });
      logger.error({ setting }, 'Databrain refuses this API key; replace it with a valid one of the data app');
    },
  };
}

export function observeIssue(metrics: Metrics, logger: Logger): IssueEvents {
  return {
    onReuse: (result) => metrics.reuse.inc({ result }),
    onRenewal: (result) => {
      metrics.reuse.inc({ result });
      if (result === 'failed') logger.info('a token could not be renewed ahead of time');
    },
  };
}

export function observeKeySets(metrics: Metrics, logger: Logger): KeySetEvents {
  return {
    fetched: ({ iss, keys, changed, durationMs }) => {
      metrics.keySetFetches.inc({ issuer: iss, result: 'fetched' });
      if (changed) logger.info({ iss, keys, durationMs }, 'the keys of the issuer were loaded');
    },
    failed: ({ iss, failure, durationMs, keysInUse }) => {
      metrics.keySetFetches.inc({ issuer: iss, result: failure });
      logger.warn({ iss, failure, durationMs, keysInUse }, 'the keys of the issuer cannot be had');
    },
    keyIgnored: (event) => logger.warn(event, 'a key of the issuer is ignored'),
  };
}

export function observeRedis(metrics: Metrics, logger: Logger): RedisEvents {
  metrics.redisUp.set(0);
  return {
    onRedisState: (state, cause) => {
      metrics.redisUp.set(state === 'up' ? 1 : 0);
      metrics.redisTransitions.inc({ state });
      if (state === 'up') logger.info({ cause }, 'Redis is in use');
      else logger.warn({ cause }, 'Redis is not in use; limits and reuse go on in this process');
    },
    onRedisCause: (cause) => logger.warn({ cause }, 'Redis is still not in use, for another cause'),
  };
}

/** One line and one count per change or new failure of a file that holds a secret. */
export function observeSecretReload(metrics: Metrics, logger: Logger) {
  return (setting: string, outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>): void => {
    metrics.secretReloads.inc({ setting, result: outcome.kind });
    if (outcome.kind === 'changed') logger.info({ setting }, 'a secret was reloaded from its file');
    else logger.error({ setting, problem: outcome.problem }, 'a secret file was refused; the old value stays in use');
  };
}
