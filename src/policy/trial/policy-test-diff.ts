// How two bodies differ, member by member, for a person to read.

export interface Difference {
  /** Where, in the body's own notation: `params.appFilters[0].values.country`; empty for the whole. */
  readonly path: string;
  /** Absent: the test does not expect this member. */
  readonly expected?: { readonly value: unknown };
  /** Absent: the body does not have this member. */
  readonly actual?: { readonly value: unknown };
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const memberPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** Every difference, in the order of the expected body, then what it does not expect. Exact: no coercion, no order lost in lists. */
export function compareBodies(expected: unknown, actual: unknown, path = ''): readonly Difference[] {
  if (isMapping(expected) && isMapping(actual)) {
    const names = [...Object.keys(expected), ...Object.keys(actual).filter((name) => !Object.hasOwn(expected, name))];
    return names.flatMap((name) => {
      const here = memberPath(path, name);
      if (!Object.hasOwn(actual, name)) return [{ path: here, expected: { value: expected[name] } }];
      if (!Object.hasOwn(expected, name)) return [{ path: here, actual: { value: actual[name] } }];
      return compareBodies(expected[name], actual[name], here);
    });
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const length = Math.max(expected.length, actual.length);
    return Array.from({ length }, (_, index) => index).flatMap((index) => {
      const here = `${path}[${index}]`;
      if (index >= actual.length) return [{ path: here, expected: { value: expected[index] as unknown } }];
      if (index >= expected.length) return [{ path: here, actual: { value: actual[index] as unknown } }];
      return compareBodies(expected[index], actual[index], here);
    });
  }
  return Object.is(expected, actual) ? [] : [{ path, expected: { value: expected }, actual: { value: actual } }];
}
