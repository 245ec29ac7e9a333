// Creates JSON Web Signatures of any kind, valid or not, with node:crypto only: tests must not sign with the library
// that the service verifies with.
import { constants, createHmac, sign, type KeyObject } from 'node:crypto';

export type SigningKey = string | Buffer | KeyObject;

export const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export const encodeText = (text: string | Buffer): string => Buffer.from(text).toString('base64url');

/** The signature that RFC 7518 §3 and RFC 8037 §3.1 define for `alg`. */
export function signatureOf(alg: string, key: SigningKey, input: string): Buffer {
  const hash = `sha${alg.slice(2)}`;
  const data = Buffer.from(input);
  if (alg.startsWith('HS')) return createHmac(hash, key).update(data).digest();
  if (typeof key === 'string' || Buffer.isBuffer(key)) throw new Error(`${alg} needs a key object`);
  if (alg.startsWith('RS')) return sign(hash, data, key);
  if (alg.startsWith('PS')) {
    return sign(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(alg.slice(2)) / 8 });
  }
  if (alg.startsWith('ES')) return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  return sign(null, data, key);
}

/** A compact token with the two segments as they are, signed by the algorithm given, whatever the header says. */
export function signSegments(alg: string, key: SigningKey, header: string, payload: string): string {
  const input = `${header}.${payload}`;
  return `${input}.${signatureOf(alg, key, input).toString('base64url')}`;
}

export const signToken = (alg: string, key: SigningKey, claims: unknown, header: object = {}): string =>
  signSegments(alg, key, encode({ alg, ...header }), encode(claims));
