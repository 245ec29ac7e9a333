// A secret as the configuration found it: its value, and where it came from if it may change there.
import { whyUnusable, type UnusableText } from '../unusable-text.ts';
import type { SecretRead } from './secret-store.ts';
import { Secret } from './secret.ts';

export interface SecretSetting {
  /** Name of the setting, without `_FILE` and the like. */
  readonly name: string;
  readonly value: Secret;
  readonly file?: { readonly path: string; readonly content: Buffer };
  readonly stored?: StoredSecret;
}

export interface StoredSecret {
  /** The store's name for people, such as `Vault`. */
  readonly store: string;
  /** Where in the store; no secret. */
  readonly reference: string;
  /** As SecretStore's, of this one reference. */
  readonly read: (options?: { readonly anew?: boolean }) => Promise<SecretRead>;
  /** When the value should be read again, as the store said when it was read at the start. */
  readonly freshForMs?: number;
}

const maxBytes = 1_048_576;

/** The text of a secret file: one trailing LF or CRLF is cut. Throws an Error that ends the sentence "the file …". */
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

/** Databrain's keys are UUIDs today; anything this short is a slip, not a key. */
const minApiKeyLength = 8;

/**
 * Why a text cannot be an API key, or undefined. It is sent in a header as it is: visible ASCII without spaces. A key
 * of several lines is several keys by mistake.
 */
export function whyNoApiKey(value: string): UnusableText | undefined {
  if (value.length < minApiKeyLength) {
    return { problem: `has fewer than ${minApiKeyLength} characters`, fix: 'Set the whole key, as Databrain shows it' };
  }
  const unusable = whyUnusable(value, 'secret');
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
