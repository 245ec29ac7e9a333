// JSON that no two parsers read differently: valid UTF-8, no byte order mark, no duplicate members, no lone surrogates,
// only finite numbers, bounded depth (RFC 8259 §4, §8; RFC 8725 §2.6; RFC 7515 §4).
import { isUtf8 } from 'node:buffer';

/** Members by name, as parsed. Read them with `own`. */
export type JsonObject = Readonly<Record<string, unknown>>;

const maxDepth = 32;
const stringLiteral = /"(?:[^"\\]|\\.)*"/g;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object's own member, never one of a prototype. */
export const own = (object: JsonObject, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** The own member of a value; undefined if it has none or is no object. */
export const memberOf = (value: unknown, name: string): unknown => (isJsonObject(value) ? own(value, name) : undefined);

/** Counts the members of the whole value. Throws SyntaxError for values that parsers read differently. */
function countMembers(value: unknown): number {
  if (typeof value === 'string' && !value.isWellFormed()) throw new SyntaxError('contains a lone surrogate');
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new SyntaxError('contains a number that is too large');
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countMembers(item), 0);
  let members = 0;
  for (const [name, member] of Object.entries(value)) {
    if (!name.isWellFormed()) throw new SyntaxError('contains a lone surrogate');
    members += 1 + countMembers(member);
  }
  return members;
}

function refuseDeepNesting(value: JsonObject | readonly unknown[], depth: number): void {
  if (depth === maxDepth) throw new SyntaxError('is nested too deeply');
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof member === 'object' && member !== null) refuseDeepNesting(member as JsonObject, depth + 1);
  }
}

/**
 * Fast path for the usual form of JSON. If serialising the value gives the same text, nothing was lost in parsing: no
 * duplicate member, no number out of range. Without `\\u` escapes there is no lone surrogate either.
 */
const isWrittenAlike = (value: JsonObject, text: string): boolean =>
  !text.includes('\\u') && JSON.stringify(value) === text;

/** Throws SyntaxError, with a message that contains no part of the input, unless the bytes are one such JSON object. */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  if (!isUtf8(bytes)) throw new SyntaxError('is not JSON in UTF-8');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyntaxError('is not JSON in UTF-8');
  }
  if (!isJsonObject(value)) throw new SyntaxError('is not a JSON object');
  // First, so that the recursion below is bounded.
  refuseDeepNesting(value, 0);
  if (isWrittenAlike(value, text)) return value;
  // In valid JSON each member has one colon outside strings: an extra colon shows a duplicate member.
  const colons = text.replace(stringLiteral, '').split(':').length - 1;
  if (countMembers(value) !== colons) throw new SyntaxError('has a duplicate member');
  return value;
}

/** Freezes a value from JSON, with everything in it, in place. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  // Objects from JSON inherit no enumerable members, and `for in` is the fastest loop over them.
  for (const name in value) deepFreeze(value[name]);
  return value;
}
