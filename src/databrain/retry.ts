// Decides whether and when to retry: exponential back-off with full jitter, never before `Retry-After`, never after the
// deadline, and only as often as the settings and the budget allow.
import type { RetryBudget } from './retry-budget.ts';
import { faultRow, type Failure } from './upstream-fault.ts';

export interface RetryOptions {
  readonly maxRetries: number;
  /** The first back-off is between 0 and this; each further one up to twice as long. */
  readonly baseMs: number;
  readonly maxBackoffMs: number;
  /** The minimum time for an attempt. */
  readonly worthwhileMs: number;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
}

/**
 * Milliseconds to wait before the next attempt, or undefined to give up.
 * @param retriesMade attempts beyond the first that this call has made already
 * @param remainingMs time left until the call's deadline
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
  if (delay + options.worthwhileMs > remainingMs) return undefined;
  return budget.withdraw() ? delay : undefined;
}
