// Implements the event interfaces of the stages with metrics and log lines. The stages know neither.
import type { Logger } from 'pino';
import { roundMs } from '../clock.ts';
import type { KeySetEvents } from '../authn/keys/fetched-keys.ts';
import type { LeftOutKey } from '../authn/keys/jwk-set.ts';
import type { TokenRefusal } from '../authn/token-refusal.ts';
import { printable } from '../printable.ts';
import type { CircuitState } from '../databrain/circuit.ts';
import type { IssueEvents } from '../guest-token/issue.ts';
import type { UpstreamEvents } from '../databrain/upstream-client.ts';
import type { RedisEvents } from '../redis/redis-link.ts';
import { metricTable } from './metric-table.ts';
import type { StoreEvent } from '../secrets/secret-store.ts';
import type { SecretPolling } from '../secrets/watched-secret.ts';
import type { Metrics } from './metrics.ts';

/**
 * Initialises the series of configured names: otherwise Prometheus would not see the first failure as an increase.
 */
export function countFromZero(
  metrics: Metrics,
  names: {
    readonly apiKeys: readonly string[];
    readonly secrets: readonly string[];
    readonly storedSecrets: readonly string[];
  },
): void {
  for (const setting of names.apiKeys) metrics.upstreamKeyRefused.inc({ setting }, 0);
  for (const setting of names.secrets)
    for (const result of metricTable.secretReloads.labels.result) metrics.secretReloads.inc({ setting, result }, 0);
  // They were read at the start; otherwise the service would not have started.
  for (const setting of names.storedSecrets) metrics.secretReadable.set({ setting }, 1);
}

const circuitValue: Readonly<Record<CircuitState, number>> = { closed: 0, half_open: 0.5, open: 1 };

export function observeUpstream(metrics: Metrics, logger: Logger): UpstreamEvents {
  return {
    callEnded: ({ result, durationMs, upstreamCode, errorCode }) => {
      metrics.upstreamCalls.inc({ result });
      metrics.upstreamSeconds.observe(durationMs / 1000);
      if (result !== 'token')
        logger.warn({ result, upstreamCode, errorCode, durationMs: roundMs(durationMs) }, 'a call to Databrain failed');
    },
    retry: () => metrics.upstreamRetries.inc(),
    circuit: (state, setting, worst) => {
      metrics.circuit.set(circuitValue[worst]);
      logger.warn({ state, setting }, 'the circuit to Databrain changed');
    },
    slowedDown: (callsPerSecond, setting) =>
      logger.warn({ callsPerSecond, setting }, 'Databrain limits the call rate; calling more slowly'),
    unexpectedResponse: () =>
      logger.warn('Databrain sent an unexpected response; connections now wait longer before they are used again'),
    keyRefused: (setting) => {
      metrics.upstreamKeyRefused.inc({ setting });
      logger.error({ setting }, 'Databrain refuses this API key; replace it with a valid key of the data app');
    },
  };
}

/** Counts batches of spans, and logs when exporting fails or works again. */
export function observeExport(metrics: Metrics, logger: Logger): (spans: number, errorCode?: string) => void {
  let failing = false;
  return (spans, errorCode) => {
    metrics.spans.inc({ result: errorCode === undefined ? 'exported' : 'failed' }, spans);
    if (failing === (errorCode !== undefined)) return;
    failing = !failing;
    if (failing)
      logger.warn({ errorCode }, 'traces cannot be exported; they are lost until the collector accepts them again');
    else logger.info('traces are exported again');
  };
}

export function observeIssue(metrics: Metrics, logger: Logger): IssueEvents {
  return {
    onReuse: (result) => metrics.reuse.inc({ result }),
    onRenewal: (result) => {
      metrics.reuse.inc({ result });
      if (result === 'failed') logger.info('a token could not be renewed in the background');
    },
  };
}

/** At most this many: a set may have a hundred keys for other purposes. */
const maxLeftOutShown = 20;

const describeLeftOut = (leftOut: readonly LeftOutKey[]): object => {
  if (leftOut.length === 0) return {};
  const shown = leftOut.slice(0, maxLeftOutShown).map(({ which, why }) => `${which} ${why}`);
  return { leftOut: leftOut.length > shown.length ? [...shown, `and ${leftOut.length - shown.length} more`] : shown };
};

/** Logs changes only: of the keys, of the keys left out, or of the reason of a failure. */
export function observeKeySets(metrics: Metrics, logger: Logger): KeySetEvents {
  return {
    fetched: ({ iss, keys, leftOut, changed, recovered, durationMs }) => {
      metrics.keySetFetches.inc({ issuer: iss, result: 'fetched' });
      if (!changed && !recovered) return;
      const level = leftOut.some(({ isBad }) => isBad) ? 'warn' : 'info';
      logger[level](
        { iss, keys, ...describeLeftOut(leftOut), durationMs: roundMs(durationMs) },
        'the keys of the issuer were fetched',
      );
    },
    failed: ({ iss, failure, detail: { leftOut = [], ...detail }, durationMs, keysInUse, repeated }) => {
      metrics.keySetFetches.inc({ issuer: iss, result: failure });
      if (repeated) return;
      logger.warn(
        { iss, failure, ...detail, ...describeLeftOut(leftOut), durationMs: roundMs(durationMs), keysInUse },
        'could not fetch the keys of the issuer',
      );
    },
  };
}

/**
 * At `debug`, logs each refused token with the refused public value. Values of claims are only shown if the signature
 * is valid; `iss` is always shown, because it selects the key.
 */
export function observeRefusedTokens(logger: Logger): (refusal: TokenRefusal, requestId: string) => void {
  if (!logger.isLevelEnabled('debug')) return () => undefined;
  return ({ reason, claim, received, expected, isSigned }, requestId) => {
    const isShown = received !== undefined && (claim === undefined || claim === 'iss' || isSigned === true);
    logger.debug(
      { requestId, reason, claim, received: isShown ? printable(received) : undefined, expected, isSigned },
      'an access token was refused',
    );
  };
}

export function observeRedis(metrics: Metrics, logger: Logger): RedisEvents {
  metrics.redisUp.set(0);
  return {
    onRedisState: (state, cause) => {
      metrics.redisUp.set(state === 'up' ? 1 : 0);
      metrics.redisTransitions.inc({ state });
      if (state === 'up') logger.info({ cause }, 'Redis is in use');
      else logger.warn({ cause }, 'Redis is not in use; limits and reuse continue in this process');
    },
    onRedisCause: (cause) => logger.warn({ cause }, 'Redis is still not in use, for a different cause'),
  };
}

/** Logs and counts each change or new failure of a secret in a file or store. */
export function observeSecretReload(metrics: Metrics, logger: Logger): SecretPolling['onReload'] {
  return (setting, outcome, store) => {
    if (store !== undefined) metrics.secretReadable.set({ setting }, outcome.kind === 'unreadable' ? 0 : 1);
    if (outcome.kind === 'restored') {
      logger.info({ setting, store }, 'a secret can be read again; its value has not changed');
      return;
    }
    if (outcome.kind === 'unreadable') {
      const { problem } = outcome;
      logger.error(
        { setting, store, problem },
        'a secret could not be read from its store; the old value stays in use',
      );
      return;
    }
    metrics.secretReloads.inc({ setting, result: outcome.kind });
    if (outcome.kind === 'changed') {
      logger.info({ setting, store }, `a secret was reloaded from its ${store === undefined ? 'file' : 'store'}`);
      return;
    }
    const problem = store === undefined ? 'a secret file was refused' : 'a secret from a store was refused';
    logger.error({ setting, store, problem: outcome.problem }, `${problem}; the old value stays in use`);
  };
}

/** Logs and counts the events of secret stores. */
export function observeSecretStores(metrics: Metrics, logger: Logger): (event: StoreEvent) => void {
  return (event) => {
    const { store } = event;
    if (event.kind === 'credential_expires') {
      const { inSeconds } = event;
      logger.warn({ store, inSeconds }, 'the token for the secret store expires and cannot be renewed; replace it');
      return;
    }
    metrics.secretStoreLogins.inc({ store, result: event.result });
    if (event.result === 'ok') logger.info({ store }, 'logged in to the secret store');
    else logger.warn({ store, problem: event.problem }, 'the login to the secret store failed');
  };
}
