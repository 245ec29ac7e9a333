// Assembles the upstream client, the service's only interface to Databrain. Start reading at mint.ts.
import type { Clock } from '../clock.ts';
import type { Egress } from '../egress/egress.ts';
import type { Grant } from '../policy/decision.ts';
import { createRenewKey, type ApiKeys } from '../secrets/api-keys.ts';
import { createToRequestBody } from './api-messages.ts';
import type { ConnectionLimits } from './connections.ts';
import { createExchanges } from './exchange.ts';
import { createLanes, type LaneEvents, type LaneLimits } from './lanes.ts';
import { createMint, createTokenOwners, type Mint, type MintEvents } from './mint.ts';

export interface UpstreamClientOptions {
  /** DATABRAIN_API_URL: https, or http if the settings allow it; may have a path prefix. */
  readonly baseUrl: string;
  readonly egress: Pick<Egress, 'routeTo'>;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly maxRetries: number;
  readonly apiKeys: Pick<ApiKeys, 'get' | 'reload'>;
  /** Whether a body with `expiryTime` is valid for POST /api/v2/guest-token/create. */
  readonly isValidBody: (body: unknown) => boolean;
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  readonly random: () => number;
  readonly events: UpstreamEvents;
  /** The `traceparent` of the current trace (W3C Trace Context). */
  readonly traceparent?: (() => string | undefined) | undefined;
  readonly limits?: Partial<UpstreamLimits>;
}

export interface UpstreamLimits extends ConnectionLimits, LaneLimits {
  /** A call is not sent with less time than this, or than the time limit of a call if that is shorter. */
  readonly minCallMs: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** The number of tokens whose owner is remembered. */
  readonly maxRememberedTokens: number;
}

/** The events of the upstream client for metrics and log. */
export interface UpstreamEvents extends MintEvents, LaneEvents {
  /** The upstream sent an unexpected response; for a while connections rest longer. */
  readonly unexpectedResponse: () => void;
}

export interface UpstreamClient {
  readonly mint: Mint;
  /** Whether a call for this grant would be sent at once: no open circuit, no pause, no waiting call. */
  readonly hasRoom: (grant: Pick<Grant, 'apiKeyName' | 'request'>) => boolean;
  /** Closes all connections. Running and waiting calls are refused as SHUTTING_DOWN, so drain first. */
  readonly close: () => Promise<void>;
}

/** Fixed limits that suit every deployment. Some tests use smaller ones. */
export const upstreamLimits: UpstreamLimits = {
  maxConnections: 1024,
  connectionsBeforeShortRest: 128,
  shortRestMs: 2,
  longRestMs: 50,
  distrustMs: 600_000,
  keepAliveMs: 4000,
  // More than one user's rate limit allows during one call, so that hanging calls of one user do not block others.
  maxConcurrent: 128,
  maxConcurrentPerKey: 96,
  // Only bounds memory; calls that would wait too long are refused earlier.
  maxWaiting: 4096,
  minCallMs: 250,
  backoffMs: 200,
  maxBackoffMs: 2000,
  retryShare: 0.2,
  retryReserve: 10,
  retryQuietMs: 10_000,
  sameLimitMs: 10_000,
  maxRememberedTokens: 10_000,
  circuit: {
    consecutiveFailures: 10,
    failureShare: 0.5,
    minimumCalls: 20,
    windowMs: 30_000,
    openMs: 1000,
    maxOpenMs: 5000,
  },
  rate: { minPerSecond: 0.5, assumedPerSecond: 4, doublingMs: 8000, maxPauseMs: 5000 },
};

/** Throws TypeError for an invalid URL. */
export function createUpstreamClient(options: UpstreamClientOptions): UpstreamClient {
  const { clock, apiKeys, events, timeoutMs } = options;
  const limits = { ...upstreamLimits, ...options.limits };
  const minCallMs = Math.min(limits.minCallMs, timeoutMs);
  const baseUrl = new URL(options.baseUrl);
  const exchanges = createExchanges({
    ...limits,
    clock,
    route: options.egress.routeTo(baseUrl, { connectTimeoutMs: timeoutMs }),
    basePath: baseUrl.pathname.replace(/\/+$/, ''),
    onUnexpectedResponse: events.unexpectedResponse,
    traceparent: options.traceparent,
  });
  const lanes = createLanes({ ...limits, clock, minCallMs, events });
  const mint = createMint({
    ...options,
    renewKey: createRenewKey(apiKeys),
    toRequestBody: createToRequestBody(options.isValidBody),
    exchanges,
    laneOf: lanes.of,
    tokenOwners: createTokenOwners(limits.maxRememberedTokens),
    retry: {
      maxRetries: options.maxRetries,
      baseMs: limits.backoffMs,
      maxBackoffMs: limits.maxBackoffMs,
      minCallMs,
      random: options.random,
    },
    pause: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
  });
  return {
    mint,
    hasRoom: ({ apiKeyName, request }) => {
      const { circuit, queue } = lanes.of(apiKeyName);
      return circuit.refusedForMs(request.clientId) === 0 && queue.hasRoom();
    },
    close: async () => {
      lanes.close();
      await exchanges.close();
    },
  };
}
