// JSON whose reading cannot differ between two parsers: fatal UTF-8, no byte order mark, no duplicate members, no
// lone surrogates, only finite numbers, bounded depth (RFC 8259 §4, §8; RFC 8725 §2.6; RFC 7515 §4).

/** Members by name, as JSON gave them; ask for one by `own`. */
export type JsonObject = Readonly<Record<string, unknown>>;

const maxDepth = 32;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const stringLiteral = /"(?:[^"\\]|\\.)*"/g;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A member of the object itself, never of a prototype. */
export const own = (object: JsonObject, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** Members in the whole value. Throws at what JSON can write but two readers take differently. */
function countMembers(value: unknown, depth: number): number {
  if (typeof value === 'string' && !value.isWellFormed()) throw new SyntaxError('holds a lone surrogate');
  if (typeof value === 'number' && !Number.isFinite(value)) throw new SyntaxError('holds a number that is too large');
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === maxDepth) throw new SyntaxError('is nested too deeply');
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countMembers(item, depth + 1), 0);
  let members = 0;
  for (const [name, member] of Object.entries(value)) {
    if (!name.isWellFormed()) throw new SyntaxError('holds a lone surrogate');
    members += 1 + countMembers(member, depth + 1);
  }
  return members;
}

/** Throws SyntaxError, with a message that holds nothing of the input, unless the bytes are one such JSON object. */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new SyntaxError('is not JSON in UTF-8');
  }
  if (!isObject(value)) throw new SyntaxError('is not a JSON object');
  // In valid JSON each member has one colon outside strings, so a colon too many is a member that another replaced.
  const colons = text.replace(stringLiteral, '').split(':').length - 1;
  if (countMembers(value, 0) !== colons) throw new SyntaxError('has a member twice');
  return value;
}
