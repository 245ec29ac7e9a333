// The values of the CEL subset with their types, members and equality. Integers are bigint, numbers of claims are
// doubles, map literals are Map. Objects of claims stay plain and only their own properties count: a claim
// `constructor` is data.
import { expressionFailure, spend, type Evaluation, type Flaw } from './evaluation.ts';

/** CEL's optional value, the result of `claims.?x`; `none` is the empty one. */
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
  if (key instanceof Optional) throw expressionFailure('an optional value is used as a key; add .orValue("…") to it');
  if (typeof key === 'string') {
    if (container instanceof Map) return (container as ReadonlyMap<unknown, unknown>).get(key);
    if (isPlainObject(container)) return Object.hasOwn(container, key) ? container[key] : undefined;
    return undefined;
  }
  return isNumeric(key) && Array.isArray(container) ? (container as readonly unknown[])[Number(key)] : undefined;
}

/** Bounds the recursion over data. */
const maxDepth = 64;

/** Completes the sentence "it contains …". */
export const flaws: Readonly<Record<Flaw, string>> = {
  number: 'a whole number beyond 2^53, which JSON rounds; configure the issuer to send it as a string',
  text: 'half a character (a lone surrogate), which is not a valid string',
  depth: 'values that are nested more than 64 levels deep',
};

/**
 * Why a claim's value is unusable. JSON integers beyond 2^53 are rounded when parsed, so two tenants' ids could become
 * one. Lone surrogates have no order and no UTF-8 form.
 */
export function flawOf(evaluation: Evaluation, value: unknown, depth = 0): Flaw | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'text';
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'number' : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const { flaws: known } = evaluation;
  if (known.has(value)) return known.get(value);
  const flaw = depth === maxDepth ? 'depth' : flawWithin(evaluation, value, depth + 1);
  if (flaw !== 'depth') known.set(value, flaw);
  return flaw;
}

function flawWithin(evaluation: Evaluation, container: object, depth: number): Flaw | undefined {
  const values: readonly unknown[] = Array.isArray(container) ? container : Object.entries(container).flat();
  for (const value of values) {
    const flaw = flawOf(evaluation, value, depth);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;

/** Compares by code points, as CEL does: negative, 0 or positive. JavaScript's `<` puts U+1F600 before U+FEFF. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates belong to characters that come after all those of one unit.
    if (isSurrogate(x) === isSurrogate(y)) return x - y;
    return isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

/** CEL's `==`: numbers by value across int and double, lists and maps by content, different types are unequal. */
export function equal(evaluation: Evaluation, a: unknown, b: unknown): boolean {
  if (a instanceof Optional || b instanceof Optional)
    throw expressionFailure('an optional value is compared; add .orValue("…") to it');
  if (a === b) return true;
  if (typeof a === 'bigint' && typeof b === 'number') return Number.isInteger(b) && a === BigInt(b);
  if (typeof a === 'number' && typeof b === 'bigint') return Number.isInteger(a) && BigInt(a) === b;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const flaw = flawOf(evaluation, a) ?? flawOf(evaluation, b);
  if (flaw !== undefined) throw expressionFailure(`"==" compares ${flaws[flaw]}`);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    spend(evaluation, a.length);
    return a.every((item, index) => equal(evaluation, item, (b as readonly unknown[])[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = mapKeys(a);
  if (keys.length !== mapKeys(b).length) return false;
  spend(evaluation, keys.length);
  return keys.every((key) => {
    const other = member(b, key);
    return other !== undefined && equal(evaluation, member(a, key), other);
  });
}

/** Keys of a map, in its own order. */
const mapKeys = (map: object): readonly unknown[] => (map instanceof Map ? [...map.keys()] : Object.keys(map));

/** The elements that a macro iterates over: those of a list, or the keys of a map. */
export function elementsOf(value: unknown, macro: string, claim: string | undefined): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (isMap(value)) {
    const keys = mapKeys(value);
    if (keys.some((key) => typeof key === 'string' && !key.isWellFormed()))
      throw expressionFailure(`${macro}() goes over ${flaws.text}`, claim);
    return keys;
  }
  throw expressionFailure(`${macro}() needs a list or a map, not a ${typeName(value)}`, claim);
}
