// Limits the retries of the whole service, so that they never make an outage worse: a fifth of the calls, plus a small
// reserve after the start.
import type { Clock } from '../clock.ts';

export interface RetryBudget {
  /** Counts a first attempt, which earns a share of a retry. */
  readonly deposit: () => void;
  /** Uses one retry; false if there is none. */
  readonly withdraw: () => boolean;
}

interface RetryBudgetOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Retries earned per first attempt; 0.2 means at most 20 % extra calls. */
  readonly share: number;
  /** Retries available at the start, and the maximum. */
  readonly reserve: number;
  /** After this time without a retry, one is added, for a service with few calls. */
  readonly quietMs: number;
}

/** In any interval: retries ≤ reserve + share × first attempts + interval / quietMs. */
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
