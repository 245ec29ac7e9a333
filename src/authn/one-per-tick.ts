// Turns at work that holds the event loop: one in each of its rounds, in the order of asking, so that a flood of new
// tokens delays everybody else (health probes, users whose token is known already) by one check, not by all of them.

/**
 * Gives a function whose promise resolves when it is the caller's turn: at once if nobody had one in this round. Holds
 * one entry per waiting caller, so whoever calls bounds it (here: the limit per address and the number of connections).
 */
export function createOnePerTick(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let taken = false;

  const next = (): void => {
    const resume = waiting.shift();
    taken = resume !== undefined;
    if (resume === undefined) return;
    setImmediate(next);
    resume();
  };

  return () => {
    if (taken) return new Promise((resolve) => void waiting.push(resolve));
    taken = true;
    setImmediate(next);
    return Promise.resolve();
  };
}
