// Compares two trees of JSON, member by member: two bodies, or the expected and the actual body of a test.
import { isJsonObject } from '../strict-json.ts';

export interface TreeDifference {
  /** The path, such as `params.appFilters[0].values.country`; empty for the whole tree. */
  readonly path: string;
  /** Absent: the left tree does not have this member. */
  readonly left?: { readonly value: unknown };
  /** Absent: the right tree does not have this member. */
  readonly right?: { readonly value: unknown } | undefined;
}

/**
 * Every difference, in the order of the left tree, then what only the right one has. Exact: nothing is converted, the
 * order of lists matters, the order of a map's members does not. Lazy, so that a caller may stop early.
 */
export function* treeDifferences(left: unknown, right: unknown, path = ''): Generator<TreeDifference> {
  if (isJsonObject(left) && isJsonObject(right)) {
    const names = [...Object.keys(left), ...Object.keys(right).filter((name) => !Object.hasOwn(left, name))];
    for (const name of names) {
      const here = path === '' ? name : `${path}.${name}`;
      if (!Object.hasOwn(right, name)) yield { path: here, left: { value: left[name] } };
      else if (!Object.hasOwn(left, name)) yield { path: here, right: { value: right[name] } };
      else yield* treeDifferences(left[name], right[name], here);
    }
  } else if (Array.isArray(left) && Array.isArray(right)) {
    for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
      const here = `${path}[${index}]`;
      if (index >= right.length) yield { path: here, left: { value: left[index] as unknown } };
      else if (index >= left.length) yield { path: here, right: { value: right[index] as unknown } };
      else yield* treeDifferences(left[index], right[index], here);
    }
  } else if (!Object.is(left, right)) yield { path, left: { value: left }, right: { value: right } };
}
