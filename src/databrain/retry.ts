// Decides whether and when to retry: exponential back-off with full jitter, never before `Retry-After`, never after the
// deadline, and only as often as the settings and the budget allow.
import type { Clock } from '../clock.ts';
import { faultRow, type Failure } from './upstream-fault.ts';

/**
 * Limits the retries of one API key, so that they never make an outage worse: a fifth of its calls, plus a small
 * reserve after the start.
 */
export interface RetryBudget {
  /** Counts a first call, which earns a share of a retry. */
  readonly deposit: () => void;
  /** Uses one retry; false if there is none. */
  readonly withdraw: () => boolean;
}

interface RetryBudgetOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Retries earned per first call; 0.2 means at most 20 % extra calls. */
  readonly share: number;
  /** Retries available at the start, and the maximum. */
  readonly reserve: number;
  /** After this time without a retry, one is added, for a service with few calls. */
  readonly quietMs: number;
}

/** In any interval: retries ≤ reserve + share × first calls + interval / quietMs. */
export function createRetryBudget({ clock, share, reserve, quietMs }: RetryBudgetOptions): RetryBudget {
  let balance = reserve;
  let lastRetryAt = clock.monotonic();

  return {
    deposit: () => {
      balance = Math.min(reserve, balance + share);
    },
    withdraw: () => {
      const now = clock.monotonic();
      if (balance >= 1) balance -= 1;
      else if (now - lastRetryAt < quietMs) return false;
      lastRetryAt = now;
      return true;
    },
  };
}

export interface RetryOptions {
  readonly maxRetries: number;
  /** The first back-off is between 0 and this; each further one up to twice as long. */
  readonly baseMs: number;
  readonly maxBackoffMs: number;
  /** The minimum time for a call. */
  readonly minCallMs: number;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
}

/**
 * Milliseconds to wait before the next call, or undefined to give up.
 * @param retriesMade retries that were made already
 * @param remainingMs time left until the deadline
 */
export function retryDelay(
  options: RetryOptions,
  budget: RetryBudget,
  failure: Failure,
  retriesMade: number,
  remainingMs: number,
): number | undefined {
  if (!faultRow(failure.fault).retryable || retriesMade >= options.maxRetries) return undefined;
  const backoff = options.random() * Math.min(options.maxBackoffMs, options.baseMs * 2 ** retriesMade);
  const delay = (failure.retryAfterMs ?? 0) + backoff;
  if (delay + options.minCallMs > remainingMs) return undefined;
  return budget.withdraw() ? delay : undefined;
}
