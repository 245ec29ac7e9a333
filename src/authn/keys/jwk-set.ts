// Loads the keys of a JWK set (RFC 7517 §5). In a configured set a bad key is an error. In a fetched set it is left out
// and reported, so that one wrong key does not make the issuer's other keys unusable.
import { printable } from '../../printable.ts';
import { LoadProblem } from '../../problem.ts';
import { isJsonObject, memberOf, own, type JsonObject } from '../../strict-json.ts';
import type { Algorithm } from './algorithms.ts';
import { loadJwk } from './pem-and-jwk.ts';
import type { VerificationKey } from './verification-keys.ts';

export interface LeftOutKey {
  /** Position in the set, from 1, with the `kid` if it has one. */
  readonly which: string;
  readonly why: string;
  /** True: it should not be in a set of public signature keys. False: it has another purpose. */
  readonly isBad: boolean;
}

export interface JwkSet {
  readonly keys: readonly VerificationKey[];
  readonly leftOut: readonly LeftOutKey[];
}

const maxKeysInSet = 100;

function nameOf(jwk: unknown, index: number): string {
  const kid = memberOf(jwk, 'kid');
  return kid === undefined ? `key ${index + 1}` : `key ${index + 1} (kid ${printable(kid)})`;
}

/** Joins entries with the same `kid` and material: some issuers list a key once per algorithm. */
function joinEqualKeys(keys: readonly VerificationKey[]): readonly VerificationKey[] {
  const joined: VerificationKey[] = [];
  for (const key of keys) {
    const index = joined.findIndex(({ kid, material }) => kid === key.kid && material.equals(key.material));
    const same = joined[index];
    if (same === undefined) joined.push(key);
    else joined[index] = { ...same, algorithms: [...new Set([...same.algorithms, ...key.algorithms])] };
  }
  return joined;
}

/** Throws LoadProblem if the document is not a JWK set or has too many keys. */
export function loadJwkSet(document: JsonObject, wanted: readonly Algorithm[]): JwkSet {
  const entries = own(document, 'keys');
  if (!Array.isArray(entries)) {
    const isKey = Object.hasOwn(document, 'kty');
    throw new LoadProblem(`is not a JWK set: it ${isKey ? 'is a single JWK, without a' : 'has no'} list of "keys"`);
  }
  if (entries.length > maxKeysInSet) throw new LoadProblem(`contains more than ${maxKeysInSet} keys`);

  const keys: VerificationKey[] = [];
  const leftOut: LeftOutKey[] = [];
  for (const [index, jwk] of (entries as readonly unknown[]).entries()) {
    const leaveOut = (why: string, isBad: boolean): void =>
      void leftOut.push({ which: nameOf(jwk, index), why, isBad });
    try {
      if (!isJsonObject(jwk)) throw new LoadProblem('is not an object');
      const key = loadJwk(jwk, wanted);
      if (typeof key === 'string') leaveOut(key, false);
      else keys.push(key);
    } catch (error) {
      if (!(error instanceof LoadProblem)) throw error;
      leaveOut(error.message, true);
    }
  }
  return { keys: joinEqualKeys(keys), leftOut };
}
