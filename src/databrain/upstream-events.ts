// What the upstream client reports to metrics and log. Nothing here carries a key, a token or the upstream's words.
import type { CircuitState } from './circuit.ts';
import type { UpstreamCode } from './parse-response.ts';
import type { Fault } from './upstream-fault.ts';

export interface AttemptReport {
  readonly result: 'token' | Fault;
  readonly durationMs: number;
  readonly upstreamCode?: UpstreamCode | undefined;
  /** Node's or undici's error code, such as ECONNREFUSED. */
  readonly errorCode?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

export interface UpstreamEvents {
  /** One call over the wire ended. */
  readonly attempt: (report: AttemptReport) => void;
  /** One more attempt is about to be made because of this fault. */
  readonly retry: (fault: Fault) => void;
  /** The circuit of the API key of this setting changed; `worst` is the state of all of them together. */
  readonly circuit: (state: CircuitState, apiKeyName: string, worst: CircuitState) => void;
  /**
   * The upstream limits the API key of this setting, or, without a name, all calls from our address: from now on at
   * most this many calls per second are made.
   */
  readonly slowedDown: (callsPerSecond: number, apiKeyName: string | undefined) => void;
  /** The upstream sent what nobody had asked for; until none has come for a while, connections rest for longer. */
  readonly surplus: () => void;
  /** The upstream refuses the key of this setting, also after its source was read again: the operator must act. */
  readonly keyRefused: (apiKeyName: string) => void;
}
