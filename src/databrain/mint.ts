// Mints one guest token: calls under one deadline, each only if circuit and queue admit it, each response checked.
// The loop reads top to bottom; the rules are in the files that it calls. Also remembers the owners of recent tokens,
// so that a repeated one reaches no second user.
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { Grant } from '../policy/decision.ts';
import type { ApiKeys, RenewKey } from '../secrets/api-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import { parseResponse, parseRetryAfter, type ToRequestBody } from './api-messages.ts';
import type { CallResult } from './circuit.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import type { Lane } from './lanes.ts';
import { retryDelay, type RetryOptions } from './retry.ts';
import {
  faultRow,
  refuseUnsent,
  upstreamError,
  type Failure,
  type Fault,
  type UpstreamCode,
} from './upstream-fault.ts';

/** A new token from the upstream. */
export interface Minted {
  readonly token: string;
  /** Monotonic milliseconds just before the successful call was sent: its lifetime counts from here. */
  readonly sentAt: number;
  /** The `expiryTime` that was sent, in milliseconds. */
  readonly lifetimeMs: number;
}

/**
 * - `user`: for a user without a token; waits in the queue and is retried;
 * - `renewal`: for a user with a token; sent at once or refused, and never retried, so that it delays no other user.
 */
export type MintPriority = 'user' | 'renewal';

/**
 * Mints one token under one deadline, of which `spentMs` have passed already. The default priority is `user`. Throws
 * ServiceError with an UPSTREAM_* code. Is not cancelled if the caller disconnects.
 */
export type Mint = (grant: Grant, priority?: MintPriority, spentMs?: number) => Promise<Minted>;

export interface CallReport {
  readonly result: 'token' | Fault;
  readonly durationMs: number;
  readonly upstreamCode?: UpstreamCode | undefined;
  /** Node's or undici's error code, such as ECONNREFUSED. */
  readonly errorCode?: string | undefined;
}

/** Events for metrics and log. They hold no key, no token and no text of the upstream. */
export interface MintEvents {
  /** A call ended. */
  readonly callEnded: (report: CallReport) => void;
  /** One more call is about to be made because of this fault. */
  readonly retry: (fault: Fault) => void;
  /** The upstream refuses the key of this setting, even after it was read again: the operator must replace it. */
  readonly keyRefused: (apiKeyName: string) => void;
}

export interface MintOptions {
  readonly clock: Clock;
  readonly apiKeys: Pick<ApiKeys, 'get'>;
  readonly renewKey: RenewKey;
  readonly toRequestBody: ToRequestBody;
  readonly exchanges: Exchanges;
  readonly laneOf: (apiKeyName: string) => Lane;
  readonly tokenOwners: TokenOwners;
  readonly retry: RetryOptions;
  readonly events: MintEvents;
  /** Resolves after this many milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

type Outcome = ({ readonly kind: 'token' } & Minted) | (Failed & { readonly sentWith: Secret });

interface Failed {
  readonly kind: 'failure';
  readonly failure: Failure;
}

/** The default Retry-After. */
const defaultRetryAfterMs = 2000;

export function createMint(options: MintOptions): Mint {
  const { clock, events, exchanges, tokenOwners, retry } = options;

  /** The result of a response for this grant. */
  const read = (exchange: Exclude<Exchange, { kind: 'closed' }>, grant: Grant): string | Failed => {
    if (exchange.kind === 'lost') return failed(exchange.how, { errorCode: exchange.errorCode });
    const parsed = parseResponse(exchange.response);
    if (parsed.kind === 'fault') {
      const retryAfterMs = parseRetryAfter(exchange.retryAfter, clock.now());
      return failed(parsed.fault, { upstreamCode: parsed.upstreamCode, retryAfterMs });
    }
    if (tokenOwners.assign(parsed.token, ownerOf(grant))) return parsed.token;
    exchanges.distrust();
    return failed(exchange.overUsedConnection ? 'answer_misplaced' : 'token_repeated', {});
  };

  const callUpstream = async (
    grant: Grant,
    lane: Lane,
    remainingMs: number,
    freshConnection: boolean,
  ): Promise<Outcome> => {
    const { clientId } = grant.request;
    const refusedForMs = lane.circuit.refusedForMs(clientId);
    if (refusedForMs > 0) throw refuseUnsent('circuit_open', refusedForMs);
    const requestedAt = clock.monotonic();
    const place = lane.queue.enter(remainingMs);
    const leave = typeof place === 'function' ? place : await place;
    try {
      const apiKey = keyOf(grant);
      const body = options.toRequestBody(grant, clock.now());
      const admission = lane.circuit.admit(clientId);
      if (admission.kind === 'refused') throw refuseUnsent('circuit_open', admission.retryAfterMs);

      const sentAt = clock.monotonic();
      const timeoutMs = Math.ceil(Math.min(options.timeoutMs, remainingMs - (sentAt - requestedAt)));
      const exchange = await exchanges.send({ apiKey, body: body.bytes, timeoutMs, freshConnection });
      if (exchange.kind === 'closed') {
        admission.done('not_sent');
        throw new ServiceError('SHUTTING_DOWN', 'shutting_down');
      }
      const outcome = read(exchange, grant);
      const durationMs = clock.monotonic() - sentAt;
      if (typeof outcome === 'string') {
        admission.done('success');
        events.callEnded({ result: 'token', durationMs });
        return { kind: 'token', token: outcome, sentAt, lifetimeMs: body.lifetimeMs };
      }
      const { fault, ...details } = outcome.failure;
      admission.done(countsAs(fault, timeoutMs < options.timeoutMs / 2));
      events.callEnded({ result: fault, durationMs, ...details });
      if (fault === 'rate_limited') lane.limited(sentAt, details.retryAfterMs);
      return { ...outcome, sentWith: apiKey };
    } finally {
      leave();
    }
  };

  const keyOf = (grant: Grant): Secret => {
    const apiKey = options.apiKeys.get(grant.apiKeyName);
    if (apiKey === undefined) throw new ServiceError('INTERNAL_ERROR', 'api_key_missing');
    return apiKey;
  };

  return async (grant, priority = 'user', spentMs = 0) => {
    const deadline = clock.monotonic() + options.deadlineMs - spentMs;
    const remainingMs = (): number => deadline - clock.monotonic();
    keyOf(grant);
    const lane = options.laneOf(grant.apiKeyName);
    if (priority === 'renewal' && !lane.queue.hasRoom()) throw refuseUnsent('queue_full', lane.rateWaitMs());
    let retries = 0;
    let renewed = false;
    let reconnected = false;
    let freshConnection = false;
    lane.retryBudget.deposit();

    for (;;) {
      const outcome = await callUpstream(grant, lane, remainingMs(), freshConnection);
      if (outcome.kind === 'token') return outcome;
      const { failure, sentWith } = outcome;
      freshConnection = connectionTrouble.has(failure.fault);

      if (failure.fault === 'key_refused') {
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
      const delayMs =
        priority === 'user' ? retryDelay(retry, lane.retryBudget, failure, retries, remainingMs()) : undefined;
      if (delayMs === undefined) throw upstreamError(failure, adviceMs(failure, lane, grant));
      retries += 1;
      events.retry(failure.fault);
      await options.pause(delayMs);
    }
  };
}

const failed = (fault: Fault, details: Omit<Failure, 'fault'>): Failed => ({
  kind: 'failure',
  failure: { fault, ...details },
});

/** How an outcome counts for the circuit: a time-out only if the upstream had enough time, a stale connection never. */
function countsAs(fault: Fault, cutShort: boolean): CallResult {
  if (fault === 'connection_stale' || (fault === 'timed_out' && cutShort)) return 'not_sent';
  return faultRow(fault).outage ? 'failure' : 'responded';
}

/** After these faults, the next call uses a new connection. */
const connectionTrouble: ReadonlySet<Fault> = new Set<Fault>([
  'connection_stale',
  'unreachable',
  'timed_out',
  'answer_cut_off',
  'answer_misplaced',
]);

const ownerOf = ({ user }: Grant): string => JSON.stringify([user.iss, user.sub]);

const adviceMs = (failure: Failure, lane: Lane, { request }: Grant): number =>
  Math.max(
    failure.retryAfterMs ?? defaultRetryAfterMs,
    lane.circuit.refusedForMs(request.clientId),
    failure.fault === 'rate_limited' ? lane.rateWaitMs() : 0,
  );

/**
 * The owner of recent tokens, so that a token that is received again (from a cache in front of the upstream, or a
 * response sent twice) is never given to another user. Bounded, and in this process only.
 */
interface TokenOwners {
  /** Whether the token belongs to this owner; an unknown token becomes this owner's. */
  readonly assign: (token: string, owner: string) => boolean;
}

/** @param max the number of tokens; the oldest are forgotten first */
export function createTokenOwners(max: number): TokenOwners {
  const owners = new Map<string, string>();
  /** A ring buffer in order of arrival. Finding the oldest entry of a Map would be slow. */
  const names: string[] = [];
  let next = 0;

  return {
    assign: (token, owner) => {
      const name = token.toLowerCase();
      const known = owners.get(name);
      if (known !== undefined) return known === owner;
      const oldest = names[next];
      if (oldest !== undefined) owners.delete(oldest);
      names[next] = name;
      next = (next + 1) % max;
      owners.set(name, owner);
      return true;
    },
  };
}
