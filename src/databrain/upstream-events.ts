// What the upstream client tells whoever counts and logs. Nothing here carries a key, a token or the upstream's words.
import type { CircuitState } from './circuit.ts';
import type { UpstreamCode } from './parse-response.ts';
import type { Fault } from './upstream-fault.ts';

export interface AttemptReport {
  readonly result: 'token' | Fault;
  readonly durationMs: number;
  readonly upstreamCode?: UpstreamCode;
  /** Node's or undici's error code, such as ECONNREFUSED. */
  readonly errorCode?: string;
  readonly retryAfterMs?: number;
}

export interface UpstreamEvents {
  /** One call over the wire ended. */
  readonly attempt: (report: AttemptReport) => void;
  /** One more attempt is about to be made because of this fault. */
  readonly retry: (fault: Fault) => void;
  readonly circuit: (state: CircuitState) => void;
  /** The upstream limits us; from now on the service makes at most this many calls per second. */
  readonly slowedDown: (callsPerSecond: number) => void;
  /** The upstream refuses the key of this setting, also after its source was read again: the operator must act. */
  readonly keyRefused: (apiKeyName: string) => void;
}
