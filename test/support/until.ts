// Waits for a condition, without a fixed time.
import { setTimeout as delay } from 'node:timers/promises';

/** Checks again after 10 ms, then less often, up to every 100 ms, because a check in a browser takes time. */
export const until = async (condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> => {
  const start = performance.now();
  while (!(await condition())) {
    const waitedMs = performance.now() - start;
    if (waitedMs > withinMs) throw new Error('did not come true in time');
    await delay(Math.min(100, Math.max(10, waitedMs / 10)));
  }
};
