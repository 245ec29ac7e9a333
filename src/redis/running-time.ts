// A time limit that a busy process does not hold against others: only time in which the event loop ran counts. An
// answer that lies unread in the socket because this process was busy is read before it is called late.

export class TimeLimitReached extends Error {
  override readonly name = 'TimeLimitReached';
}

/** The limit is counted in this many steps; a step that ends late, because the process was busy, counts as one. */
const steps = 5;

/**
 * Settles as `work` does, or rejects with TimeLimitReached after `limitMs` milliseconds of running time: as much on the
 * clock in an idle process, and five rounds of the event loop at least in a busy one. Does not end the work.
 */
export function withinRunningTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const stepMs = Math.max(1, limitMs / steps);
  return new Promise((resolve, reject) => {
    let stepsLeft = steps;
    let timer: NodeJS.Timeout | undefined;
    const step = (): void => {
      stepsLeft -= 1;
      if (stepsLeft > 0) timer = setTimeout(step, stepMs);
      // Timers come before what is read from sockets: let that come first.
      else setImmediate(() => reject(new TimeLimitReached()));
    };
    timer = setTimeout(step, stepMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
