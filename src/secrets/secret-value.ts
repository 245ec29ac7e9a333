// Converts a store's value to a Secret, with the rules for secret files. `name#field` is a member of a value that is a
// JSON object, the form in which the consoles of cloud stores save several values in one secret.
import { own, parseJsonObject, type JsonObject } from '../strict-json.ts';
import { type SecretRead, secretText } from './secret-setting.ts';
import { Secret } from './secret.ts';

/** Only non-empty strings: a number may have lost digits on its way, and an object is no secret. */
export function readValue(value: unknown, freshForMs?: number): SecretRead {
  const fix = 'Check the name of the field; its value must be a string';
  if (value === undefined || value === null) return { kind: 'refused', problem: 'has no such field', fix };
  if (typeof value !== 'string') return { kind: 'refused', problem: 'is not a string', fix };
  try {
    const secret = new Secret(secretText(Buffer.from(value)));
    return { kind: 'read', value: secret, freshForMs };
  } catch (error) {
    const problem = error instanceof Error ? error.message : 'cannot be used';
    return { kind: 'refused', problem, fix: 'Store only the value' };
  }
}

export interface FieldReference {
  readonly name: string;
  readonly field?: string | undefined;
}

/** Splits at the first `#`, which no name of a secret holds. */
export function parseFieldReference(reference: string): FieldReference {
  const at = reference.indexOf('#');
  if (at === -1) return { name: reference };
  return { name: reference.slice(0, at), field: reference.slice(at + 1) };
}

/** The whole text, or the text of the named member. */
export function readField(text: string, field: string | undefined): SecretRead {
  if (field === undefined) return readValue(text);
  let object: JsonObject;
  try {
    object = parseJsonObject(Buffer.from(text));
  } catch {
    return { kind: 'refused', problem: 'is not a JSON object', fix: 'Store an object, or leave #field out' };
  }
  return readValue(own(object, field));
}
