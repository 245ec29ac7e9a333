// One public key in, as PEM or JWK (RFC 7468, RFC 7517), checked for type and strength, and out again as SPKI PEM that
// we made ourselves: what was configured never reaches the verifier, so it cannot be taken for an HMAC secret there.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { Secret } from '../../secrets/secret.ts';
import { algorithmNamed, algorithmsOf, type Algorithm } from './algorithms.ts';
import type { LoadedKey } from './key-ring.ts';
import { own, type JsonObject } from '../../strict-json.ts';

/** Why a key cannot be used. The message is for the operator and holds nothing of the key. */
export class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}

const minRsaBits = 2048;
/** Verifying costs the square of the size: a huge key in a set would be a denial of service by the issuer. */
const maxRsaBits = 8192;
const minRsaExponent = 3n;
/** Real ones have 17 bits. Verifying costs more with every bit, and forged tokens cost as much as good ones. */
const maxRsaExponent = 2n ** 32n;
/** It is held once more for every remembered token. */
const maxKidLength = 256;

/** Members that only private or symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;

const kindOfJwk: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['n', 'e']],
  ['EC', ['x', 'y']],
  ['OKP', ['x']],
]);

const base64url = /^[A-Za-z0-9_-]+$/;

function usableAlgorithms(key: KeyObject, wanted: readonly Algorithm[]): readonly Algorithm[] {
  const able = algorithmsOf(key);
  if (able.length === 0) throw new KeyRefused('is of a type or curve that is not supported');
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength < minRsaBits) throw new KeyRefused(`is an RSA key of fewer than ${minRsaBits} bits`);
    if (modulusLength > maxRsaBits) throw new KeyRefused(`is an RSA key of more than ${maxRsaBits} bits`);
    if (publicExponent < minRsaExponent || publicExponent > maxRsaExponent || publicExponent % 2n === 0n) {
      throw new KeyRefused('is an RSA key with an unusable exponent');
    }
  }
  return able.filter((algorithm) => wanted.includes(algorithm));
}

function load(key: KeyObject, algorithms: readonly Algorithm[], kid?: string): LoadedKey {
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  return {
    ...(kid === undefined ? {} : { kid }),
    ...(modulusLength === undefined ? {} : { modulusBytes: Math.ceil(modulusLength / 8) }),
    algorithms,
    material: new Secret(key.export({ type: 'spki', format: 'pem' }).toString()),
  };
}

/** Throws KeyRefused unless the block is a public key that can serve one of the wanted algorithms. */
export function loadPem(block: string, wanted: readonly Algorithm[]): LoadedKey {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: block, format: 'pem' });
  } catch {
    throw new KeyRefused('is not a readable public key');
  }
  const algorithms = usableAlgorithms(key, wanted);
  if (algorithms.length === 0) throw new KeyRefused('cannot verify any of the configured algorithms');
  return load(key, algorithms);
}

/**
 * The key of a JWK, or undefined when it is sound but not meant for us: for encryption, or for an algorithm that is
 * not configured. Throws KeyRefused when it should not be in a set of signature keys at all.
 */
export function loadJwk(jwk: JsonObject, wanted: readonly Algorithm[]): LoadedKey | undefined {
  const kid = own(jwk, 'kid');
  if (kid !== undefined && typeof kid !== 'string') throw new KeyRefused('has a kid that is not a string');
  if (kid !== undefined && kid.length > maxKidLength) {
    throw new KeyRefused(`has a kid of more than ${maxKidLength} characters`);
  }
  if (own(jwk, 'kty') === 'oct') throw new KeyRefused('is a symmetric key');
  if (privateMembers.some((member) => Object.hasOwn(jwk, member))) throw new KeyRefused('has private members');

  const use = own(jwk, 'use');
  if (use !== undefined && use !== 'sig') return undefined;
  const operations = own(jwk, 'key_ops');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined;

  const members = kindOfJwk.get(own(jwk, 'kty'));
  if (members === undefined) throw new KeyRefused('is of a type that is not supported');
  const material: Record<string, string> = { kty: String(own(jwk, 'kty')) };
  for (const member of members) {
    const value = own(jwk, member);
    if (typeof value !== 'string' || !base64url.test(value)) throw new KeyRefused(`has no usable ${member}`);
    material[member] = value;
  }
  const curve = own(jwk, 'crv');
  if (typeof curve === 'string') material['crv'] = curve;

  let key: KeyObject;
  try {
    key = createPublicKey({ key: material, format: 'jwk' });
  } catch {
    throw new KeyRefused('is not a readable public key');
  }
  const able = usableAlgorithms(key, wanted);
  const alg = own(jwk, 'alg');
  const algorithms = alg === undefined ? able : able.filter((algorithm) => algorithm === algorithmNamed(alg));
  return algorithms.length === 0 ? undefined : load(key, algorithms, kid);
}
