// Measures a time on a busy machine. Other work only adds time, so the shortest of several tries is the best estimate.

/** Milliseconds of the fastest of five tries; stops early below `goodMs`. Each try returns its own time. */
export async function shortestMs(goodMs: number, attempt: () => Promise<number>): Promise<number> {
  let shortest = Infinity;
  for (let tries = 0; tries < 5 && shortest >= goodMs; tries += 1) shortest = Math.min(shortest, await attempt());
  return shortest;
}
