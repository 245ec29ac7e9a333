// HMAC secrets (RFC 7518 §3.2): one a line, long enough, and nothing that is somebody's public key. A public key used
// as a secret is known to everybody: that is the key confusion of RFC 8725 §2.1.
import { createPrivateKey, createPublicKey, createSecretKey, X509Certificate } from 'node:crypto';
import { Secret } from '../secrets/secret.ts';
import { hmacKeyBytesFor, type Algorithm } from './algorithms.ts';
import { maxUnnamedKeys, type LoadedKey } from './key-ring.ts';
import { KeyRefused } from './public-key.ts';

const succeeds = (attempt: () => unknown): boolean => {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
};

const isKeyInDer = (der: Buffer): boolean =>
  succeeds(() => createPublicKey({ key: der, format: 'der', type: 'spki' })) ||
  succeeds(() => createPublicKey({ key: der, format: 'der', type: 'pkcs1' })) ||
  succeeds(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })) ||
  succeeds(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs1' })) ||
  succeeds(() => createPrivateKey({ key: der, format: 'der', type: 'sec1' })) ||
  succeeds(() => new X509Certificate(der));

// Dashes, white space and invisible characters are left out of the search: they are how a header line hides.
const isPemText = (text: string): boolean =>
  /BEGIN.{0,24}?(PUBLICKEY|PRIVATEKEY|CERTIFICATE)/i.test(text.replace(/[-\s\p{C}\p{Z}\\]/gu, ''));

function isJson(text: string): boolean {
  if (/"(kty|keys|crv|x5c)"\s*:/.test(text)) return true;
  return /^\s*[{[]/.test(text) && succeeds(() => void JSON.parse(text));
}

const isSshText = (text: string): boolean => /(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\w+)\s+AAAA/.test(text);

/**
 * What a run of base64 may hold. Keys in DER begin with a SEQUENCE of more than 31 bytes, so with an M; what stands
 * before it, such as another line, would shift the rest.
 */
const decodings = (run: string): readonly Buffer[] =>
  [0, ...[...run.matchAll(/M[A-Za-z]/g)].map(({ index }) => index)].map((start) =>
    Buffer.from(run.slice(start), 'base64'),
  );

/** Whether the text is, holds or encodes a key of a pair, in PEM, JWK, SSH's form, or DER as base64 or hexadecimal. */
function isKeyOfAPair(text: string, depth = 0): boolean {
  if (isPemText(text) || isJson(text) || isSshText(text)) return true;
  if (depth === 2) return false;
  const dense = text.replace(/[\s\p{C}\p{Z}]/gu, '');
  const decoded = [
    ...(dense.match(/[A-Za-z0-9+/_-]{40,}/g) ?? []).flatMap(decodings),
    ...(dense.match(/(?:[0-9A-Fa-f]{2}){32,}/g) ?? []).map((run) => Buffer.from(run, 'hex')),
  ];
  return decoded.some((bytes) => isKeyInDer(bytes) || isKeyOfAPair(bytes.toString('latin1'), depth + 1));
}

function loadLine(line: string, wanted: readonly Algorithm[]): LoadedKey {
  if (line === '') throw new KeyRefused('has an empty line');
  if (line.trim() !== line) throw new KeyRefused('has white space at the start or end of a key');
  if (line.includes(',')) throw new KeyRefused('has a comma; several keys are written one a line');
  // The verifier takes the text's UTF-8 bytes, so text that is not what was written would be another key.
  if (line.includes('\uFFFD') || !line.isWellFormed()) throw new KeyRefused('is not UTF-8 text');
  const bytes = createSecretKey(line, 'utf8').symmetricKeySize ?? 0;
  const needed = hmacKeyBytesFor(wanted);
  if (bytes < needed) throw new KeyRefused(`is shorter than the ${needed} bytes that ${wanted.join(', ')} needs`);
  return { algorithms: wanted, material: new Secret(line) };
}

/** Throws KeyRefused, with a message that holds nothing of the secret, when one line cannot be used. */
export function loadHmacSecrets(text: string, wanted: readonly Algorithm[]): readonly LoadedKey[] {
  if (isKeyOfAPair(text)) throw new KeyRefused('is a key of a public-key pair, which is no secret');
  const lines = new Set(text.split(/\r?\n/));
  if (lines.size > maxUnnamedKeys) throw new KeyRefused(`holds more than ${maxUnnamedKeys} keys`);
  return [...lines].map((line) => loadLine(line, wanted));
}
