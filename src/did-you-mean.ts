// "Did you mean …?": the known name nearest to a misspelt one, by edit distance.
import leven from 'leven';

/**
 * The nearest of `known` in any case, or undefined when none is within `maxEdits`: by default a third of the name's
 * length.
 */
export function closest(
  name: string,
  known: Iterable<string>,
  maxEdits = Math.max(1, Math.floor(name.length / 3)),
): string | undefined {
  if (name.length > 128) return undefined;
  let best: string | undefined;
  let bound = maxEdits + 1;
  const lowered = name.toLowerCase();
  for (const candidate of known) {
    const distance = leven(lowered, candidate.toLowerCase(), { maxDistance: bound });
    if (distance < bound) [best, bound] = [candidate, distance];
  }
  return best;
}

/** The fix for a misspelt name: the nearest known one, or `otherwise` if none is near. */
export function didYouMean(name: string, known: Iterable<string>, otherwise: string): string {
  const nearest = closest(name, known);
  return nearest === undefined ? otherwise : `Did you mean ${nearest}`;
}
