// The real upstream client with a faulty upstream and short times, and a record of its events.
import { systemClock } from '../../../src/clock.ts';
import { isServiceError, type ServiceError } from '../../../src/errors.ts';
import type { CircuitState } from '../../../src/databrain/circuit.ts';
import {
  createUpstreamClient,
  type UpstreamClient,
  type UpstreamClientOptions,
} from '../../../src/databrain/upstream-client.ts';
import { createEgress } from '../../../src/egress/egress.ts';
import type { CallReport, Minted } from '../../../src/databrain/mint.ts';
import type { Grant } from '../../../src/policy/decision.ts';
import { validateUpstreamBody } from '../../../src/policy/upstream-request.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { startFaultyUpstream, type FaultyUpstream, type Script } from './faulty-upstream.ts';

export const apiKeyText = '7e57ab1e-0000-4000-8000-5ec2e7000001';

export interface ClientRecord extends UpstreamClient {
  readonly calls: readonly CallReport[];
  /** Names of the other events in the order they came, such as `retry overloaded` or `circuit open`. */
  readonly events: readonly string[];
  /** The worst state of all API keys' circuits, from the last event. */
  readonly circuitState: () => CircuitState;
}

type ClientOptions = Partial<UpstreamClientOptions> & { readonly limits?: UpstreamClientOptions['limits'] };

export function startClient(baseUrl: string, options: ClientOptions = {}): ClientRecord {
  const calls: CallReport[] = [];
  const events: string[] = [];
  let worstCircuit: CircuitState = 'closed';
  const client = createUpstreamClient({
    baseUrl,
    egress: createEgress({ https: undefined, http: undefined, noProxy: '' }),
    timeoutMs: 300,
    deadlineMs: 1500,
    maxRetries: 2,
    apiKeys: { get: () => new Secret(apiKeyText), reload: () => Promise.resolve(false) },
    isValidBody: validateUpstreamBody,
    clock: systemClock,
    random: () => 0.5,
    events: {
      callEnded: (report) => calls.push(report),
      retry: (fault) => events.push(`retry ${fault}`),
      circuit: (state, _apiKeyName, worst) => {
        events.push(`circuit ${state}`);
        worstCircuit = worst;
      },
      slowedDown: () => events.push('slowed down'),
      unexpectedResponse: () => events.push('unexpectedResponse'),
      keyRefused: (name) => events.push(`key refused ${name}`),
    },
    ...options,
    limits: { backoffMs: 10, keepAliveMs: 1000, ...options.limits },
  });
  return { ...client, calls, events, circuitState: () => worstCircuit };
}

/** A circuit that opens at the first failure and stays open. */
export const opensAtOnce = {
  consecutiveFailures: 1,
  failureShare: 0.1,
  minimumCalls: 1,
  windowMs: 10_000,
  openMs: 10_000,
  maxOpenMs: 10_000,
} as const;

/** A circuit that never opens, whatever the upstream answers. */
export const neverOpens = {
  consecutiveFailures: Infinity,
  failureShare: 2,
  minimumCalls: 1,
  windowMs: 1000,
  openMs: 1,
  maxOpenMs: 1,
} as const;

/** Pairs of a faulty upstream and its client; `close` ends those that are still open. */
export function createPairs(defaults: ClientOptions = {}) {
  const open: { readonly upstream: FaultyUpstream; readonly client: ClientRecord }[] = [];
  return {
    start: async (
      script: Script,
      options: ClientOptions = {},
      onConnection?: Parameters<typeof startFaultyUpstream>[1],
    ) => {
      const upstream = await startFaultyUpstream(script, onConnection);
      const limits = { ...defaults.limits, ...options.limits };
      const pair = { upstream, client: startClient(upstream.baseUrl, { ...defaults, ...options, limits }) };
      open.push(pair);
      return pair;
    },
    close: async (): Promise<void> => {
      for (const { client, upstream } of open.splice(0)) {
        await client.close();
        await upstream.close();
      }
    },
  };
}

export function grantFor(clientId: string, extra: Partial<Grant> = {}): Grant {
  return {
    user: { iss: 'https://login.example.com', sub: clientId },
    apiKeyName: 'DATABRAIN_API_KEY',
    request: { clientId, dataAppName: 'sales-dashboard' },
    lifetimeMs: 60_000,
    policyRevision: '0123456789ab',
    ...extra,
  } as Grant;
}

export type Settled =
  | { readonly minted: Minted; readonly ms: number }
  | { readonly error: ServiceError; readonly ms: number };

/** Mints once and returns the result and the time. Rethrows errors that are not a ServiceError. */
export async function mintOnce(
  client: UpstreamClient,
  clientId = 'acme',
  extra: Partial<Grant> = {},
): Promise<Settled> {
  const start = performance.now();
  try {
    const minted = await client.mint(grantFor(clientId, extra));
    return { minted, ms: performance.now() - start };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { error, ms: performance.now() - start };
  }
}

/** The error's code and reason, or the token, for comparisons. */
export const outcomeOf = (settled: Settled): string =>
  'minted' in settled ? settled.minted.token : `${settled.error.code} ${settled.error.reason}`;

/** Everything that could reach a log or a response, as one text. */
export const allOutput = (client: ClientRecord, ...settled: readonly Settled[]): string =>
  JSON.stringify([
    client.calls,
    client.events,
    settled.map((one) =>
      'error' in one ? [one.error.message, one.error.stack, one.error.detail, String(one.error.cause)] : [],
    ),
  ]);
