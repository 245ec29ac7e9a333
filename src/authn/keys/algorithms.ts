// The signature algorithms that can be configured (RFC 7518 §3.1, RFC 8037, RFC 9864) and which key may serve which.
// `none` is not in the table, so it cannot be configured.
import type { KeyObject } from 'node:crypto';

interface AlgorithmRow {
  /** The key that it needs: an HMAC secret, a type of public key, or OpenSSL's name of a curve. */
  readonly key: 'secret' | 'rsa' | 'ed25519' | 'prime256v1' | 'secp384r1' | 'secp521r1';
  /** Length of its signatures (RFC 7518 §3.2, §3.4, RFC 8037 §3.1). Absent: that of the RSA key's modulus. */
  readonly signatureBytes?: number;
}

const algorithmTable = {
  HS256: { key: 'secret', signatureBytes: 32 },
  HS384: { key: 'secret', signatureBytes: 48 },
  HS512: { key: 'secret', signatureBytes: 64 },
  RS256: { key: 'rsa' },
  RS384: { key: 'rsa' },
  RS512: { key: 'rsa' },
  PS256: { key: 'rsa' },
  PS384: { key: 'rsa' },
  PS512: { key: 'rsa' },
  ES256: { key: 'prime256v1', signatureBytes: 64 },
  ES384: { key: 'secp384r1', signatureBytes: 96 },
  ES512: { key: 'secp521r1', signatureBytes: 132 },
  EdDSA: { key: 'ed25519', signatureBytes: 64 },
} as const satisfies Readonly<Record<string, AlgorithmRow>>;

export type Algorithm = keyof typeof algorithmTable;

const isAlgorithm = (name: string): name is Algorithm => Object.hasOwn(algorithmTable, name);
const rowOf = (algorithm: Algorithm): AlgorithmRow => algorithmTable[algorithm];

/** In the order of the table. */
export const algorithms: readonly Algorithm[] = Object.keys(algorithmTable).filter(isAlgorithm);

/** Without JWT_ALGORITHMS a key serves one algorithm, that of its type (RFC 8725 §3.1). */
export const defaultHmacAlgorithms: readonly Algorithm[] = ['HS256'];
export const defaultPublicKeyAlgorithms: readonly Algorithm[] = ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export const isHmac = (algorithm: Algorithm): boolean => rowOf(algorithm).key === 'secret';

/** How long a signature is, to the byte. `modulusBytes` is the size of the RSA key, if it is one. */
export const signatureBytesOf = (algorithm: Algorithm, modulusBytes: number | undefined): number =>
  rowOf(algorithm).signatureBytes ?? modulusBytes ?? 0;

/** The least size in bytes that a secret needs to serve all of these: that of the hash (RFC 7518 §3.2). */
export const hmacKeyBytesFor = (wanted: readonly Algorithm[]): number =>
  Math.max(...wanted.filter(isHmac).map((algorithm) => signatureBytesOf(algorithm, undefined)));

/**
 * The algorithm of that exact name. `Ed25519` is the fully specified name of `EdDSA` over that curve (RFC 9864 §2.2).
 */
export const algorithmNamed = (name: unknown): Algorithm | undefined =>
  name === 'Ed25519' ? 'EdDSA' : algorithms.find((algorithm) => algorithm === name);

/** What a public key can verify by its type and curve; empty for types that are not supported. */
export function algorithmsOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): readonly Algorithm[] {
  const key = type === 'ec' ? details?.namedCurve : type;
  return algorithms.filter((algorithm) => rowOf(algorithm).key === key);
}
