// Strict reading of JSON with the vendor's wording. The first problem ends the reading.
import { refuse, type Refusal, type RefusalCode } from './refusal.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Thrown at the first problem; readGuestTokenBody converts it to a reply. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(code: RefusalCode, message: string) {
    super(message);
    this.refusal = refuse(code, message);
  }
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
export function onlyKnown(value: unknown, path: string, known: readonly string[], code: RefusalCode): JsonObject {
  if (!isObject(value)) throw new Refused(code, `"${path}" must be of type object`);
  for (const name of Object.keys(value))
    if (!known.includes(name))
      throw new Refused(code, `"${path === 'value' ? name : `${path}.${name}`}" is not allowed`);
  return value;
}

export function text(value: unknown, path: string, code: RefusalCode): string {
  if (value === undefined) throw new Refused(code, `"${path}" is required`);
  if (typeof value !== 'string') throw new Refused(code, `"${path}" must be a string`);
  if (value.trim() === '') throw new Refused(code, `"${path}" is not allowed to be empty`);
  return value;
}
