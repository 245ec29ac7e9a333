// Loads one public key from PEM or JWK (RFC 7468, RFC 7517) and checks its type and strength. The verifier gets a
// KeyObject, never the text, so it cannot use a public key as an HMAC secret.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { printable } from '../../printable.ts';
import { LoadProblem } from '../../problem.ts';
import { own, type JsonObject } from '../../strict-json.ts';
import { algorithmNamed, algorithmsOf, type Algorithm } from './algorithms.ts';
import type { VerificationKey } from './verification-keys.ts';

const minRsaBits = 2048;
/** Verification time grows with the square of the size, so a huge key would be a denial of service. */
const maxRsaBits = 8192;
const minRsaExponent = 3n;
/** Usual exponents have 17 bits. Each further bit makes verification slower, also of forged tokens. */
const maxRsaExponent = 2n ** 32n;
/** A `kid` is compared with that of every token. */
const maxKidLength = 256;

/** Members that only private or symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;

const publicMembers: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['n', 'e']],
  ['EC', ['x', 'y']],
  ['OKP', ['x']],
]);

function usableAlgorithms(key: KeyObject, wanted: readonly Algorithm[]): readonly Algorithm[] {
  const able = algorithmsOf(key);
  if (able.length === 0) throw new LoadProblem('is of a type or curve that is not supported');
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength < minRsaBits) throw new LoadProblem(`is an RSA key of fewer than ${minRsaBits} bits`);
    if (modulusLength > maxRsaBits) throw new LoadProblem(`is an RSA key of more than ${maxRsaBits} bits`);
    if (publicExponent < minRsaExponent || publicExponent > maxRsaExponent || publicExponent % 2n === 0n) {
      throw new LoadProblem('is an RSA key with an unusable exponent');
    }
  }
  return able.filter((algorithm) => wanted.includes(algorithm));
}

function toVerificationKey(material: KeyObject, algorithms: readonly Algorithm[], kid?: string): VerificationKey {
  const { modulusLength } = material.asymmetricKeyDetails ?? {};
  return {
    kid,
    modulusBytes: modulusLength === undefined ? undefined : Math.ceil(modulusLength / 8),
    algorithms,
    material,
  };
}

/** Throws LoadProblem unless the block is a public key that can serve one of the wanted algorithms. */
export function loadPem(block: string, wanted: readonly Algorithm[]): VerificationKey {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: block, format: 'pem' });
  } catch {
    throw new LoadProblem('is not a readable public key');
  }
  const algorithms = usableAlgorithms(key, wanted);
  if (algorithms.length === 0) throw new LoadProblem('cannot verify any of the configured algorithms');
  return toVerificationKey(key, algorithms);
}

function kidOf(jwk: JsonObject): string | undefined {
  const kid = own(jwk, 'kid');
  if (kid === undefined) return undefined;
  if (typeof kid !== 'string') throw new LoadProblem('has a kid that is not a string');
  if (kid.length > maxKidLength) throw new LoadProblem(`has a kid of more than ${maxKidLength} characters`);
  return kid;
}

/** The other purpose that the key declares, if any (RFC 7517 §4.2–4.4). */
function otherPurpose(jwk: JsonObject, wanted: readonly Algorithm[]): string | undefined {
  const use = own(jwk, 'use');
  if (use !== undefined && use !== 'sig') return `has use ${printable(use)}, not sig`;
  const operations = own(jwk, 'key_ops');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return 'has key_ops without verify';
  }
  const alg = own(jwk, 'alg');
  const algorithm = algorithmNamed(alg);
  if (alg === undefined || (algorithm !== undefined && wanted.includes(algorithm))) return undefined;
  return `has alg ${printable(alg)}; the configured algorithms are ${wanted.join(', ')}`;
}

function publicPart(jwk: JsonObject): Record<string, string> {
  const kty = own(jwk, 'kty');
  const members = publicMembers.get(kty);
  if (members === undefined) throw new LoadProblem(`is of kty ${printable(kty)}, which is not supported`);
  const part: Record<string, string> = { kty: String(kty) };
  for (const member of members) {
    const value = own(jwk, member);
    if (typeof value !== 'string' || value === '') throw new LoadProblem(`has no usable ${member}`);
    if (!/^[A-Za-z0-9_-]+$/.test(value)) {
      const isBase64 = /^[A-Za-z0-9+/]+=*$/.test(value);
      throw new LoadProblem(`has no usable ${member}: it must be base64url${isBase64 ? ', not base64' : ''}`);
    }
    part[member] = value;
  }
  const curve = own(jwk, 'crv');
  if (typeof curve === 'string') part['crv'] = curve;
  return part;
}

/**
 * The key of a JWK, or the reason why it has another purpose. Throws LoadProblem if it should not be in a set of
 * signature keys.
 */
export function loadJwk(jwk: JsonObject, wanted: readonly Algorithm[]): VerificationKey | string {
  if (own(jwk, 'kty') === 'oct') throw new LoadProblem('is a symmetric key');
  if (privateMembers.some((member) => Object.hasOwn(jwk, member))) throw new LoadProblem('has private members');
  const purpose = otherPurpose(jwk, wanted);
  if (purpose !== undefined) return purpose;

  const kid = kidOf(jwk);
  const part = publicPart(jwk);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: part, format: 'jwk' });
  } catch {
    const curve = part['kty'] === 'RSA' ? '' : ` on curve ${printable(own(jwk, 'crv'))}`;
    throw new LoadProblem(`is not a readable ${String(part['kty'])} key${curve}`);
  }
  const able = usableAlgorithms(key, wanted);
  const alg = own(jwk, 'alg');
  const algorithms = alg === undefined ? able : able.filter((algorithm) => algorithm === algorithmNamed(alg));
  if (algorithms.length > 0) return toVerificationKey(key, algorithms, kid);
  return `is a key for ${algorithmsOf(key).join(', ')}, but ${alg === undefined ? `configured are ${wanted.join(', ')}` : `says alg ${printable(alg)}`}`;
}
