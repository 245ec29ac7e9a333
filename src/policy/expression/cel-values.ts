// The values of our CEL subset and what is asked of them: type, members, equality. Integers are bigint, claims' numbers
// are doubles, map literals are Map, claims' objects stay plain and show own properties only: a claim named
// `constructor` is data, an absent one is absent.
import { ExpressionFailure, spend, type Evaluation } from './evaluation.ts';

/** CEL's optional value, from `claims.?x`; `none` is one without a value. */
export class Optional {
  readonly present: boolean;
  readonly value: unknown;

  constructor(present: boolean, value?: unknown) {
    this.present = present;
    this.value = value;
  }
}

export const none = new Optional(false);

export type PlainObject = Readonly<Record<string, unknown>>;

export const isPlainObject = (value: unknown): value is PlainObject =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Map) &&
  !(value instanceof Optional);

export const isNumeric = (value: unknown): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';

export const isMap = (value: unknown): value is object => value instanceof Map || isPlainObject(value);

/** The type's name for messages; never the value. */
export function typeName(value: unknown): string {
  const type = typeof value;
  if (type === 'string') return type;
  if (type === 'number') return 'double';
  if (type === 'bigint') return 'int';
  if (type === 'boolean') return 'bool';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return value instanceof Optional ? 'optional' : 'map';
}

/** The member of a map or the element of a list; undefined if there is none. Throws if the key is an optional value. */
export function member(container: unknown, key: unknown): unknown {
  if (key instanceof Optional)
    throw new ExpressionFailure('an optional value is used as a key; add .orValue("…") to it');
  if (typeof key === 'string') {
    if (container instanceof Map) return (container as ReadonlyMap<unknown, unknown>).get(key);
    if (isPlainObject(container)) return Object.hasOwn(container, key) ? container[key] : undefined;
    return undefined;
  }
  return isNumeric(key) && Array.isArray(container) ? (container as readonly unknown[])[Number(key)] : undefined;
}

/** Of lists and maps that were walked: claims are frozen, and what an expression makes never changes. */
const exactness = new WeakMap<object, boolean>();

/**
 * Whether all numbers in a claim's value are the ones that the issuer wrote. JSON's integers beyond 2^53 are rounded to
 * a double when they are read: two tenants' ids could become one.
 */
export function isExact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  let exact = exactness.get(value);
  if (exact === undefined) exactness.set(value, (exact = Object.values(value).every(isExact)));
  return exact;
}

const deepest = 64;

/** CEL's `==`: numbers by value across int and double, lists and maps by content, different types are unequal. */
export function equal(evaluation: Evaluation, a: unknown, b: unknown, depth = 0): boolean {
  if (a instanceof Optional || b instanceof Optional)
    throw new ExpressionFailure('an optional value is compared; add .orValue("…") to it');
  if (a === b) return true;
  if (typeof a === 'bigint' && typeof b === 'number') return Number.isInteger(b) && a === BigInt(b);
  if (typeof a === 'number' && typeof b === 'bigint') return Number.isInteger(a) && BigInt(a) === b;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (!isExact(a) || !isExact(b))
    throw new ExpressionFailure('a whole number beyond 2^53 is compared, which is not exact');
  if (depth >= deepest) throw new ExpressionFailure('"==" compares values that are nested too deeply');
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    spend(evaluation, a.length);
    return a.every((item, index) => equal(evaluation, item, (b as readonly unknown[])[index], depth + 1));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = mapKeys(a);
  if (keys.length !== mapKeys(b).length) return false;
  spend(evaluation, keys.length);
  return keys.every((key) => {
    const other = member(b, key);
    return other !== undefined && equal(evaluation, member(a, key), other, depth + 1);
  });
}

/** Keys of a map, in its own order. */
export const mapKeys = (map: object): readonly unknown[] => (map instanceof Map ? [...map.keys()] : Object.keys(map));

/** The elements that a macro goes over: of a list its elements, of a map its keys. */
export function elementsOf(value: unknown, macro: string, claim: string | undefined): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (isMap(value)) return mapKeys(value);
  throw new ExpressionFailure(`${macro}() goes over a list or a map, not a ${typeName(value)}`, claim);
}
