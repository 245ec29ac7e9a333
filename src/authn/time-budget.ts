// Limits blocking work to a time budget per iteration of the event loop; work beyond it waits for the next iteration,
// in order. A flood of new tokens delays other work (health probes, remembered tokens) by the budget, not by the flood.

/** In milliseconds, for each iteration of the event loop. */
const defaultBudgetMs = 1;

/** Calls the synchronous `work` now or in a later iteration, and returns or throws what it does. */
export type RunWithinBudget = <T>(work: () => T) => T | Promise<T>;

/**
 * Holds one entry per waiting call. The caller bounds their number (here: by the limit per address and the number of
 * connections). `now` is monotonic, in milliseconds.
 */
export function createTimeBudget(now: () => number, budgetMs = defaultBudgetMs): RunWithinBudget {
  let waiting: (() => void)[] = [];
  /** In this iteration so far. */
  let spentMs = 0;
  let isIterationOpen = false;

  const run = <T>(work: () => T): T => {
    const startedAt = now();
    try {
      return work();
    } finally {
      spentMs += now() - startedAt;
    }
  };

  const openIteration = (): void => {
    isIterationOpen = true;
    setImmediate(nextIteration);
  };

  function nextIteration(): void {
    spentMs = 0;
    isIterationOpen = false;
    if (waiting.length === 0) return;
    openIteration();
    let served = 0;
    while (served < waiting.length && spentMs < budgetMs) {
      waiting[served]?.();
      served += 1;
    }
    waiting = waiting.slice(served);
  }

  return (work) => {
    if (waiting.length === 0 && spentMs < budgetMs) {
      if (!isIterationOpen) openIteration();
      return run(work);
    }
    return new Promise((resolve, reject) => {
      waiting.push(() => {
        try {
          resolve(run(work));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('the work threw something other than an Error'));
        }
      });
    });
  };
}
