// The upstream client, put together: what the rest of the service sees of Databrain. Start reading at mint.ts.
import type { AnySchemaObject } from 'ajv';
import type { Clock } from '../clock.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import { createExchanges } from './exchange.ts';
import { createCircuit, type CircuitOptions, type CircuitState } from './circuit.ts';
import { createCallQueue } from './call-queue.ts';
import { createRenewKey } from './key-renewal.ts';
import { createMint, type Mint } from './mint.ts';
import { createCallRate, type CallRateOptions } from './call-rate.ts';
import { createToRequestBody } from './request-body.ts';
import { createRetryBudget } from './retry-budget.ts';
import type { UpstreamEvents } from './upstream-events.ts';

export interface UpstreamClientOptions {
  /** DATABRAIN_API_URL: https, or http where the settings allow it; may carry a path prefix. */
  readonly baseUrl: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly maxRetries: number;
  readonly apiKeys: Pick<ApiKeys, 'get' | 'reload'>;
  /** JSON Schema of the body of POST /api/v2/guest-token/create, `expiryTime` included. */
  readonly bodySchema: AnySchemaObject;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  readonly random: () => number;
  readonly events: UpstreamEvents;
  readonly limits?: Partial<UpstreamLimits>;
}

/** What is not a setting: bounds that suit every deployment, named so that tests can make them small. */
export interface UpstreamLimits {
  /** Calls at a time, and connections kept. */
  readonly connections: number;
  /** How long a connection is left alone after an answer. */
  readonly restMs: number;
  readonly maxWaiting: number;
  readonly maxQueueMs: number;
  readonly keepAliveMs: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly retryShare: number;
  readonly retryReserve: number;
  readonly retryQuietMs: number;
  readonly circuit: Omit<CircuitOptions, 'clock' | 'onChange'>;
  readonly pace: Omit<CallRateOptions, 'clock'>;
}

export interface UpstreamClient {
  readonly mint: Mint;
  readonly circuitState: () => CircuitState;
  /** Whether a call with this API key would be sent at once: no open circuit, no pause, nobody waiting for a turn. */
  readonly hasRoom: (apiKeyName: string) => boolean;
  /** Ends all connections. Calls that still run are refused as SHUTTING_DOWN: drain first. */
  readonly close: () => Promise<void>;
}

const defaultLimits = (deadlineMs: number): UpstreamLimits => ({
  // More than one user's rate limit lets through in an attempt's time: hanging calls of one do not block the others.
  connections: 128,
  restMs: 50,
  maxWaiting: 256,
  maxQueueMs: deadlineMs * 0.75,
  keepAliveMs: 4000,
  backoffMs: 200,
  maxBackoffMs: 2000,
  retryShare: 0.2,
  retryReserve: 10,
  retryQuietMs: 10_000,
  circuit: {
    consecutiveFailures: 10,
    failureShare: 0.5,
    minimumCalls: 20,
    windowMs: 30_000,
    openMs: 1000,
    maxOpenMs: 5000,
  },
  pace: { minPerSecond: 0.5, assumedPerSecond: 4, growth: 0.02, maxPauseMs: 5000 },
});

/** Throws TypeError for an address that is no URL, and what ajv throws for a schema that is none. */
export function createUpstreamClient(options: UpstreamClientOptions): UpstreamClient {
  const { clock, apiKeys, events, timeoutMs, deadlineMs } = options;
  const limits = { ...defaultLimits(deadlineMs), ...options.limits };
  const attempts = createExchanges({
    baseUrl: options.baseUrl,
    kept: limits.connections,
    restMs: limits.restMs,
    keepAliveMs: limits.keepAliveMs,
    connectTimeoutMs: timeoutMs,
  });
  const circuit = createCircuit({ ...limits.circuit, clock, onChange: events.circuit });
  const pace = createCallRate({ ...limits.pace, clock });
  const gate = createCallQueue({ clock, pace, maxConcurrent: limits.connections, maxWaiting: limits.maxWaiting });
  const budget = createRetryBudget({
    clock,
    share: limits.retryShare,
    reserve: limits.retryReserve,
    quietMs: limits.retryQuietMs,
  });
  const mint = createMint({
    clock,
    apiKeys,
    renewKey: createRenewKey(apiKeys),
    toRequestBody: createToRequestBody(options.bodySchema),
    attempts,
    circuit,
    gate,
    pace,
    retry: {
      maxRetries: options.maxRetries,
      baseMs: limits.backoffMs,
      maxBackoffMs: limits.maxBackoffMs,
      worthwhileMs: Math.min(250, timeoutMs),
      random: options.random,
      budget,
    },
    events,
    pause: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    timeoutMs,
    deadlineMs,
    maxQueueMs: limits.maxQueueMs,
  });
  const hasRoom = (): boolean => circuit.refusedForMs() === 0 && gate.hasRoom();
  return { mint, circuitState: circuit.state, hasRoom, close: attempts.close };
}
