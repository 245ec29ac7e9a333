// Counts the hashes that this process computes with node:crypto, in code that imported its functions long before.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

export interface HashCount {
  /** Hashes begun since the last reset. */
  readonly count: () => number;
  readonly reset: () => void;
  /** Restores the functions of node:crypto. */
  readonly stop: () => void;
}

export function countHashes(): HashCount {
  const originals = { hash: crypto.hash, createHash: crypto.createHash, createHmac: crypto.createHmac };
  let hashes = 0;
  const counted =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      hashes += 1;
      return work(...args);
    };
  const replace = (functions: object): void => {
    Object.assign(crypto, functions);
    syncBuiltinESMExports();
  };
  replace({
    hash: counted(originals.hash),
    createHash: counted(originals.createHash),
    createHmac: counted(originals.createHmac),
  });
  return { count: () => hashes, reset: () => void (hashes = 0), stop: () => replace(originals) };
}
