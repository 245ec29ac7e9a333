// Turns at work that holds the event loop: each of its rounds takes as much of it as fits a time budget, in the order
// of asking, so that a flood of new tokens delays everybody else (health probes, users whose token is remembered) by
// the budget, not by the whole flood.

/** In milliseconds for each round of the event loop. */
export const defaultBudgetMs = 1;

/** Calls `work`, which is synchronous, now or in a later round, and gives what it gives or throws what it throws. */
export type TakeTurn = <T>(work: () => T) => T | Promise<T>;

/**
 * Holds one entry per waiting caller, so whoever calls bounds it (here: the limit per address and the number of
 * connections). `now` is monotonic, in milliseconds.
 */
export function createTurns(now: () => number, budgetMs = defaultBudgetMs): TakeTurn {
  let waiting: (() => void)[] = [];
  /** Of this round, so far. */
  let spentMs = 0;
  let isRoundOpen = false;

  const run = <T>(work: () => T): T => {
    const startedAt = now();
    try {
      return work();
    } finally {
      spentMs += now() - startedAt;
    }
  };

  const openRound = (): void => {
    isRoundOpen = true;
    setImmediate(nextRound);
  };

  function nextRound(): void {
    spentMs = 0;
    isRoundOpen = false;
    if (waiting.length === 0) return;
    openRound();
    let served = 0;
    while (served < waiting.length && spentMs < budgetMs) {
      waiting[served]?.();
      served += 1;
    }
    waiting = waiting.slice(served);
  }

  return (work) => {
    if (waiting.length === 0 && spentMs < budgetMs) {
      if (!isRoundOpen) openRound();
      return run(work);
    }
    return new Promise((resolve, reject) => {
      waiting.push(() => {
        try {
          resolve(run(work));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('what was thrown is no error'));
        }
      });
    });
  };
}
