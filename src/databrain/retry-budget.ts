// How many retries the service as a whole may spend, so that retrying never multiplies an outage: a fifth of the
// calls, plus a small reserve for a service that has only just begun.
import type { Clock } from '../clock.ts';

export interface RetryBudget {
  /** A first attempt was made: earns a share of a retry. */
  readonly deposit: () => void;
  /** Takes one retry if there is one. */
  readonly withdraw: () => boolean;
}

interface RetryBudgetOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Retries earned per first attempt; 0.2 means at most 20 % extra calls. */
  readonly share: number;
  /** Retries at hand at the start, and the most that can be saved up. */
  readonly reserve: number;
  /** After this long without any retry one is granted, so that a quiet service is not left without. */
  readonly quietMs: number;
}

/** Over any stretch: retries ≤ reserve + share × first attempts + stretch / quietMs. */
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
