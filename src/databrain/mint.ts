// One new guest token, from grant to UUID: attempts under one deadline, each only if the circuit and the gate let it
// through, each answer distrusted. The loop reads top to bottom; the rules are in the files it calls.
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import type { ApiKeys } from '../secrets/api-keys.ts';
import type { Exchanges, Exchange } from './exchange.ts';
import type { CallResult, Circuit } from './circuit.ts';
import type { CallQueue } from './call-queue.ts';
import type { RenewKey } from './key-renewal.ts';
import type { CallRate } from './call-rate.ts';
import { parseResponse } from './parse-response.ts';
import type { ToRequestBody } from './request-body.ts';
import { parseRetryAfter } from './retry-after.ts';
import { retryDelay, type RetryOptions } from './retry.ts';
import type { UpstreamEvents } from './upstream-events.ts';
import { faultRow, refuseUnsent, toServiceError, type Failure } from './upstream-fault.ts';

/** A token fresh from the upstream, before anybody has it. */
export interface Minted {
  readonly token: string;
  /** Monotonic milliseconds just before the successful attempt was sent: its life is counted from here, never later. */
  readonly sentAt: number;
  /** The `expiryTime` that was sent, in milliseconds. */
  readonly lifetimeMs: number;
}

/**
 * - `user`: for somebody who has no token; waits for its turn and is retried;
 * - `renewal`: for somebody who has one; sent at once or refused unsent, and tried once, so that it takes no turn from a user.
 */
export type MintPriority = 'user' | 'renewal';

/**
 * Asks the upstream for one new token: body, attempts under one deadline, distrustful reading of the answer.
 * Throws ServiceError with an UPSTREAM_* code. Is not cancelled when a caller hangs up. Without a priority it is `user`.
 * `spentMs` of the deadline are over before it begins.
 */
export type Mint = (grant: Grant, priority?: MintPriority, spentMs?: number) => Promise<Minted>;

export interface MintOptions {
  readonly clock: Clock;
  readonly apiKeys: Pick<ApiKeys, 'get'>;
  readonly renewKey: RenewKey;
  readonly toRequestBody: ToRequestBody;
  readonly attempts: Exchanges;
  readonly circuit: Circuit;
  readonly gate: CallQueue;
  readonly pace: CallRate;
  readonly retry: RetryOptions;
  readonly events: UpstreamEvents;
  /** Resolves after so many milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  /** The longest that a call waits for its turn before it is refused. */
  readonly maxQueueMs: number;
}

type Outcome =
  | { readonly kind: 'token'; readonly token: string; readonly sentAt: number; readonly lifetimeMs: number }
  | { readonly kind: 'failure'; readonly failure: Failure; readonly sentWith: ReturnType<ApiKeys['get']> };

/** What a refused caller is told to wait when nothing better is known. */
const defaultRetryAfterMs = 2000;

export function createMint(options: MintOptions): Mint {
  const { clock, circuit, gate, pace, events } = options;

  const attemptOnce = async (
    grant: Grant,
    priority: MintPriority,
    remainingMs: () => number,
    ownConnection: boolean,
  ): Promise<Outcome> => {
    if (circuit.refusedForMs() > 0) throw refuseUnsent('circuit_open', circuit.refusedForMs());
    const maxQueueMs = priority === 'renewal' ? 0 : options.maxQueueMs;
    const leave = await gate.enter(Math.min(maxQueueMs, remainingMs() - options.retry.worthwhileMs));
    try {
      const apiKey = options.apiKeys.get(grant.apiKeyName);
      if (apiKey === undefined) throw new ServiceError('INTERNAL_ERROR', 'api_key_missing');
      const body = options.toRequestBody(grant, clock.now());
      const admission = circuit.admit();
      if (admission.kind === 'refused') throw refuseUnsent('circuit_open', admission.retryAfterMs);

      const timeoutMs = Math.ceil(Math.min(options.timeoutMs, remainingMs()));
      const sentAt = clock.monotonic();
      const exchange = await options.attempts.send({ apiKey, body: body.bytes, timeoutMs, ownConnection });
      if (exchange.kind === 'closed') {
        admission.done('not_sent');
        throw new ServiceError('SHUTTING_DOWN', 'shutting_down');
      }
      const outcome = judge(exchange, clock.now());
      const durationMs = clock.monotonic() - sentAt;
      if (outcome.kind === 'token') {
        admission.done('success');
        events.attempt({ result: 'token', durationMs });
        return { ...outcome, sentAt, lifetimeMs: body.lifetimeMs };
      }
      const { failure } = outcome;
      admission.done(countsAs(failure, timeoutMs < options.timeoutMs / 2));
      const { fault, ...named } = failure;
      events.attempt({ result: fault, durationMs, ...named });
      if (fault === 'rate_limited') {
        pace.limited(sentAt, failure.retryAfterMs);
        gate.reconsider();
        events.slowedDown(pace.callsPerSecond());
      }
      return { ...outcome, sentWith: apiKey };
    } finally {
      leave();
    }
  };

  return async (grant, priority = 'user', spentMs = 0) => {
    const deadline = clock.monotonic() + options.deadlineMs - spentMs;
    const remainingMs = (): number => deadline - clock.monotonic();
    let retries = 0;
    let renewed = false;
    let reconnected = false;
    let ownConnection = false;
    options.retry.budget.deposit();

    for (;;) {
      const outcome = await attemptOnce(grant, priority, remainingMs, ownConnection);
      if (outcome.kind === 'token') {
        const { token, sentAt, lifetimeMs } = outcome;
        return { token, sentAt, lifetimeMs };
      }
      const { failure, sentWith } = outcome;
      ownConnection = isConnectionTrouble(failure);

      if (failure.fault === 'key_refused' && sentWith !== undefined) {
        if (!renewed && (await options.renewKey(grant.apiKeyName, sentWith, remainingMs()))) {
          renewed = true;
          continue;
        }
        events.keyRefused(grant.apiKeyName);
      }
      if (failure.fault === 'connection_stale' && !reconnected) {
        reconnected = true;
        continue;
      }
      const delayMs = priority === 'renewal' ? undefined : retryDelay(options.retry, failure, retries, remainingMs());
      if (delayMs === undefined)
        throw toServiceError(failure, adviceMs(failure, circuit.refusedForMs(), pace.waitMs()));
      retries += 1;
      events.retry(failure.fault);
      await options.pause(delayMs);
    }
  };
}

type Judged =
  { readonly kind: 'token'; readonly token: string } | { readonly kind: 'failure'; readonly failure: Failure };

function judge(exchange: Exclude<Exchange, { kind: 'closed' }>, nowMs: number): Judged {
  if (exchange.kind === 'lost') {
    const { how: fault, errorCode } = exchange;
    return { kind: 'failure', failure: { fault, ...(errorCode === undefined ? {} : { errorCode }) } };
  }
  const parsed = parseResponse(exchange.answer);
  if (parsed.kind === 'token') return parsed;
  const retryAfterMs = parseRetryAfter(exchange.retryAfter, nowMs);
  const { fault, upstreamCode } = parsed;
  return {
    kind: 'failure',
    failure: {
      fault,
      ...(upstreamCode === undefined ? {} : { upstreamCode }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  };
}

/** A time-out is the upstream's only if it had its time; a stale connection is nobody's. */
function countsAs(failure: Failure, cutShort: boolean): CallResult {
  if (failure.fault === 'connection_stale' || (failure.fault === 'timed_out' && cutShort)) return 'not_sent';
  return faultRow(failure.fault).outage ? 'failure' : 'answered';
}

const isConnectionTrouble = ({ fault }: Failure): boolean =>
  fault === 'connection_stale' || fault === 'unreachable' || fault === 'timed_out';

const adviceMs = (failure: Failure, circuitMs: number, paceMs: number): number =>
  Math.max(failure.retryAfterMs ?? defaultRetryAfterMs, circuitMs, failure.fault === 'rate_limited' ? paceMs : 0);
