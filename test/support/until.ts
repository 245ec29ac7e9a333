// Waiting for what comes by itself, without guessing how long it takes.
import { setTimeout as delay } from 'node:timers/promises';

/** Asks again after 10 ms, and the longer it takes the more rarely, up to every 100 ms: asking a browser costs time. */
export const until = async (condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> => {
  const start = performance.now();
  while (!(await condition())) {
    const waitedMs = performance.now() - start;
    if (waitedMs > withinMs) throw new Error('did not come true in time');
    await delay(Math.min(100, Math.max(10, waitedMs / 10)));
  }
};
