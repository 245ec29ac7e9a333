// A JWK set (RFC 7517 §5) becomes keys. A configured document must be clean; in a fetched one, bad keys are left out
// and told, because one key that an issuer publishes by mistake must not take its other keys away from its users.
import type { Algorithm } from './algorithms.ts';
import type { LoadedKey } from './key-ring.ts';
import { KeyRefused, loadJwk } from './public-key.ts';
import { own, type JsonObject } from '../../strict-json.ts';

export interface IgnoredKey {
  /** Position in the set, from 1, with the `kid` if it has one. */
  readonly which: string;
  readonly why: string;
}

export interface JwkSet {
  readonly keys: readonly LoadedKey[];
  readonly ignored: readonly IgnoredKey[];
}

export const maxKeysInSet = 100;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isPrintable = /^[\x21-\x7E]{1,128}$/;

function kidOf(jwk: unknown): string | undefined {
  const kid = isObject(jwk) ? own(jwk, 'kid') : undefined;
  return typeof kid === 'string' ? kid : undefined;
}

function nameOf(jwk: unknown, index: number): string {
  const kid = kidOf(jwk);
  return kid !== undefined && isPrintable.test(kid) ? `key ${index + 1} (kid ${kid})` : `key ${index + 1}`;
}

/** Throws KeyRefused when the set as a whole cannot be trusted: not a set, too many keys, or a `kid` twice. */
export function loadJwkSet(document: JsonObject, wanted: readonly Algorithm[]): JwkSet {
  const entries = own(document, 'keys');
  if (!Array.isArray(entries)) throw new KeyRefused('is not a JWK set: it has no list of keys');
  if (entries.length > maxKeysInSet) throw new KeyRefused(`holds more than ${maxKeysInSet} keys`);

  const kids = entries.map(kidOf).filter((kid) => kid !== undefined);
  if (new Set(kids).size < kids.length) throw new KeyRefused('holds two keys with the same kid');

  const keys: LoadedKey[] = [];
  const ignored: IgnoredKey[] = [];
  for (const [index, jwk] of (entries as readonly unknown[]).entries()) {
    try {
      if (!isObject(jwk)) throw new KeyRefused('is not an object');
      const key = loadJwk(jwk, wanted);
      if (key !== undefined) keys.push(key);
    } catch (error) {
      if (!(error instanceof KeyRefused)) throw error;
      ignored.push({ which: nameOf(jwk, index), why: error.message });
    }
  }
  return { keys, ignored };
}
