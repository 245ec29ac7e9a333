// A time limit that counts only time in which the event loop ran, so that a reply that is unread because this process
// was busy is not treated as late.

export class TimeLimitReached extends Error {
  override readonly name = 'TimeLimitReached';
}

/** The limit consists of this many steps. A step that ends late, because the process was busy, counts as one. */
const steps = 5;

/**
 * Settles like `work`, or rejects with TimeLimitReached after `limitMs` milliseconds of running time; in a busy process
 * after at least five iterations of the event loop. Does not end the work.
 */
export function withinRunningTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const stepMs = Math.max(1, limitMs / steps);
  return new Promise((resolve, reject) => {
    let stepsLeft = steps;
    let timer: NodeJS.Timeout | undefined;
    const step = (): void => {
      stepsLeft -= 1;
      if (stepsLeft > 0) timer = setTimeout(step, stepMs);
      // Timers run before sockets are read: let those be read first.
      else setImmediate(() => reject(new TimeLimitReached()));
    };
    timer = setTimeout(step, stepMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
