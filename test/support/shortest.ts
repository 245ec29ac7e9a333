// How long something takes on a machine that is busy with other things: those only ever add time, so the shortest of
// several tries comes closest to the truth.

/** Milliseconds of the quickest of five tries; stops early below `goodMs`. Each try measures for itself. */
export async function shortestMs(goodMs: number, attempt: () => Promise<number>): Promise<number> {
  let shortest = Infinity;
  for (let tries = 0; tries < 5 && shortest >= goodMs; tries += 1) shortest = Math.min(shortest, await attempt());
  return shortest;
}
