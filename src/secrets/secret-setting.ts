// A secret of the configuration: its value and, if that may change, its source. Reading a source again returns a value
// in every case, because an unavailable store or a missing secret is expected.
import { textProblem, type UnusableText } from '../unusable-text.ts';
import { Secret } from './secret.ts';

export interface SecretSetting {
  /** Name of the setting, without `_FILE` and the like. */
  readonly name: string;
  readonly value: Secret;
  readonly file?: { readonly path: string; readonly content: Buffer };
  readonly stored?: StoredSecret;
}

export type SecretRead =
  /** `freshForMs`: how long the value is valid, if the store reports it. */
  | { readonly kind: 'read'; readonly value: Secret; readonly freshForMs?: number | undefined }
  /** A later attempt may succeed: the store is down, sealed or overloaded. */
  | { readonly kind: 'unavailable'; readonly problem: string; readonly fix: string }
  /** A retry is useless without a change: missing, forbidden, not a string. */
  | { readonly kind: 'refused'; readonly problem: string; readonly fix: string };

export type ReadFailure = Exclude<SecretRead, { kind: 'read' }>;

export interface StoredSecret {
  /** The store's name for people, such as `Vault`. */
  readonly store: string;
  /** Where in the store; no secret. */
  readonly reference: string;
  /** As SecretStore's, of this one reference. */
  readonly read: (options?: { readonly forceNew?: boolean }) => Promise<SecretRead>;
  /** When the value should be read again, as the store reported at the start. */
  readonly freshForMs?: number | undefined;
}

const maxBytes = 1_048_576;

/**
 * The text of a secret file without one trailing LF or CRLF. Throws an Error that completes the sentence "the file …".
 */
export function secretText(content: Buffer): string {
  if (content.length > maxBytes) throw new Error('is larger than 1 MiB');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new Error('is not UTF-8 text');
  }
  if (text.startsWith('\uFEFF')) throw new Error('starts with a byte order mark');
  const value = text.replace(/\r?\n$/, '');
  if (value.trim() === '') throw new Error('is empty');
  return value;
}

/** Databrain's keys are UUIDs; anything shorter than this is a mistake. */
const minApiKeyLength = 8;

/**
 * The problem of a text that cannot be an API key, or undefined. A key is sent unchanged in a header, so it must be
 * visible ASCII without spaces, on one line.
 */
export function apiKeyProblem(value: string): UnusableText | undefined {
  if (value.length < minApiKeyLength) {
    return { problem: `has fewer than ${minApiKeyLength} characters`, fix: 'Set the whole key, as Databrain shows it' };
  }
  const unusable = textProblem(value, 'secret');
  if (unusable !== undefined || /^[\x21-\x7E]{1,512}$/.test(value)) return unusable;
  return {
    problem: 'has spaces, line breaks or other characters that no API key has',
    fix: 'Set the key alone, on one line',
  };
}

export interface SecretOrigin {
  readonly name: string;
  readonly origin: string;
}

/** Where the value comes from, for people. */
export function originOf({ name, file, stored }: SecretSetting): string {
  if (stored !== undefined) return `${stored.store}, ${stored.reference}`;
  return file === undefined ? `the variable ${name}` : `the file ${file.path}`;
}
