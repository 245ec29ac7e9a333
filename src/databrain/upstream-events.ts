// The events of the upstream client for metrics and log. They hold no key, no token and no text of the upstream.
import type { CircuitState } from './circuit.ts';
import type { Fault, UpstreamCode } from './upstream-fault.ts';

export interface AttemptReport {
  readonly result: 'token' | Fault;
  readonly durationMs: number;
  readonly upstreamCode?: UpstreamCode | undefined;
  /** Node's or undici's error code, such as ECONNREFUSED. */
  readonly errorCode?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

export interface UpstreamEvents {
  /** One HTTP call ended. */
  readonly attempt: (report: AttemptReport) => void;
  /** One more attempt is about to be made because of this fault. */
  readonly retry: (fault: Fault) => void;
  /** The circuit of the API key of this setting changed; `worst` is the state of all of them together. */
  readonly circuit: (state: CircuitState, apiKeyName: string, worst: CircuitState) => void;
  /**
   * The upstream limits the API key of this setting or, without a name, our address. From now on at most this many
   * calls per second are sent.
   */
  readonly slowedDown: (callsPerSecond: number, apiKeyName: string | undefined) => void;
  /** The upstream sent an unexpected response; for a while connections rest longer. */
  readonly surplus: () => void;
  /** The upstream refuses the key of this setting, even after it was read again: the operator must replace it. */
  readonly keyRefused: (apiKeyName: string) => void;
}
