// The signature algorithms that can be configured (RFC 7518 §3.1, RFC 8037, RFC 9864) and which key may serve which.
// `none` is not in the table, so it cannot be configured.
import type { KeyObject } from 'node:crypto';

export const algorithms = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

export type Algorithm = (typeof algorithms)[number];

/** RFC 7518 §3.2: an HMAC key is at least as long as the hash. In bytes. */
const hmacKeyBytes: ReadonlyMap<Algorithm, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
]);

const rsaAlgorithms: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

/** By OpenSSL's name of the curve; secp256k1 is not among them. */
const curveAlgorithms: ReadonlyMap<string, Algorithm> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

/** Without JWT_ALGORITHMS a key serves one algorithm, that of its type (RFC 8725 §3.1). */
export const defaultHmacAlgorithms: readonly Algorithm[] = ['HS256'];
export const defaultPublicKeyAlgorithms: readonly Algorithm[] = ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export const isHmac = (algorithm: Algorithm): boolean => hmacKeyBytes.has(algorithm);

/** The least size in bytes that a key needs to serve all of these. */
export const hmacKeyBytesFor = (wanted: readonly Algorithm[]): number =>
  Math.max(...wanted.map((algorithm) => hmacKeyBytes.get(algorithm) ?? 0));

/** Fixed lengths of signatures in bytes (RFC 7518 §3.2, §3.4, RFC 8037 §3.1); RSA's is that of its modulus. */
const signatureBytes: ReadonlyMap<Algorithm, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
  ['ES256', 64],
  ['ES384', 96],
  ['ES512', 132],
  ['EdDSA', 64],
]);

/** How long a signature is, to the byte. `modulusBytes` is the size of the RSA key, if it is one. */
export const signatureBytesOf = (algorithm: Algorithm, modulusBytes: number | undefined): number =>
  signatureBytes.get(algorithm) ?? modulusBytes ?? 0;

/**
 * The algorithm of that exact name. `Ed25519` is the fully specified name of `EdDSA` over that curve (RFC 9864 §2.2).
 */
export const algorithmNamed = (name: unknown): Algorithm | undefined =>
  name === 'Ed25519' ? 'EdDSA' : algorithms.find((algorithm) => algorithm === name);

/** What a public key can verify by its type and curve; empty for types that are not supported. */
export function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  if (key.asymmetricKeyType === 'rsa') return rsaAlgorithms;
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA'];
  const curve = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : undefined;
  const algorithm = curve === undefined ? undefined : curveAlgorithms.get(curve);
  return algorithm === undefined ? [] : [algorithm];
}
