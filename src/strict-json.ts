// JSON whose reading cannot differ between two parsers: fatal UTF-8, no byte order mark, no duplicate members, no
// lone surrogates, only finite numbers, bounded depth (RFC 8259 §4, §8; RFC 8725 §2.6; RFC 7515 §4).
import { isUtf8 } from 'node:buffer';

/** Members by name, as JSON gave them; ask for one by `own`. */
export type JsonObject = Readonly<Record<string, unknown>>;

const maxDepth = 32;
const stringLiteral = /"(?:[^"\\]|\\.)*"/g;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A member of the object itself, never of a prototype. */
export const own = (object: JsonObject, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** Members in the whole value. Throws at what JSON can write but two readers take differently. */
function countMembers(value: unknown): number {
  if (typeof value === 'string' && !value.isWellFormed()) throw new SyntaxError('holds a lone surrogate');
  if (typeof value === 'number' && !Number.isFinite(value)) throw new SyntaxError('holds a number that is too large');
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countMembers(item), 0);
  let members = 0;
  for (const [name, member] of Object.entries(value)) {
    if (!name.isWellFormed()) throw new SyntaxError('holds a lone surrogate');
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
 * What most writers of JSON write. Text that is equal to the value written again has lost nothing in the reading: no
 * member twice, no number out of range; and without escapes of this kind it holds no lone surrogate either.
 */
const isWrittenAlike = (value: JsonObject, text: string): boolean =>
  !text.includes('\\u') && JSON.stringify(value) === text;

/** Throws SyntaxError, with a message that holds nothing of the input, unless the bytes are one such JSON object. */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  if (!isUtf8(bytes)) throw new SyntaxError('is not JSON in UTF-8');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyntaxError('is not JSON in UTF-8');
  }
  if (!isObject(value)) throw new SyntaxError('is not a JSON object');
  // First, so that nothing below can exhaust the stack.
  refuseDeepNesting(value, 0);
  if (isWrittenAlike(value, text)) return value;
  // In valid JSON each member has one colon outside strings, so a colon too many is a member that another replaced.
  const colons = text.replace(stringLiteral, '').split(':').length - 1;
  if (countMembers(value) !== colons) throw new SyntaxError('has a member twice');
  return value;
}
