// HMAC secrets (RFC 7518 §3.2): one a line, long enough, and nothing that is somebody's public key. A public key used
// as a secret is known to everybody: that is the key confusion of RFC 8725 §2.1.
import { createPrivateKey, createPublicKey, createSecretKey, X509Certificate } from 'node:crypto';
import { Secret } from '../../secrets/secret.ts';
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
  /BEGIN.{0,24}?(PUBLICKEY|PRIVATEKEY|CERTIFICATE)/i.test(text.replace(/[-_\s\p{C}\p{Z}\\]/gu, ''));

function isJson(text: string): boolean {
  if (/"(kty|keys|crv|x5c)"\s*:/.test(text.replaceAll('\\', ''))) return true;
  return /^\s*[{[]/.test(text) && succeeds(() => void JSON.parse(text));
}

/** With its name in front, or only the base64 of a blob that begins with the name: `ssh-…`, `ecdsa-…`. */
const isSshText = (text: string): boolean =>
  /(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\w+)\s+AAAA|AAAA(B3NzaC1|C3NzaC1|E2VjZHNh)/.test(text);

const isXml = (text: string): boolean => /<(RSAKeyValue|Modulus)>/i.test(text);

/** The DER value that begins there, cut to the length that it tells (X.690 §8.1.3), if so much is there. */
function derAt(run: string, start: number): Buffer | undefined {
  const [, short = 0, high = 0, low = 0] = Buffer.from(run.slice(start, start + 8), 'base64');
  const [header, content] = short < 0x80 ? [2, short] : short === 0x81 ? [3, high] : [4, high * 256 + low];
  const size = header + content;
  const letters = Math.ceil((size * 4) / 3);
  if (short > 0x82 || start + letters > run.length) return undefined;
  return Buffer.from(run.slice(start, start + letters), 'base64').subarray(0, size);
}

/**
 * Keys that a run of base64 holds. In DER they begin with a SEQUENCE of more than 31 bytes, so with an M and, for the
 * first bits of its length, a letter up to P, wherever that stands in the run.
 */
const derIn = (run: string): readonly Buffer[] =>
  [...run.matchAll(/M(?=[A-P])/g)].map(({ index }) => derAt(run, index)).filter((der) => der !== undefined);

/** What it decodes to if up to three letters of something else stand before it. */
const textsIn = (run: string): readonly string[] =>
  [0, 1, 2, 3].map((start) => Buffer.from(run.slice(start), 'base64').toString('latin1'));

/** Without any percent-encoding, however often it was done. */
function withoutPercentEscapes(text: string): string {
  for (let encoded = text; ;) {
    const decoded = encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (decoded === encoded) return decoded;
    encoded = decoded;
  }
}

/**
 * Whether the text is, holds or encodes a key of a pair: PEM, JWK, SSH's form or DER, as text, base64 or hexadecimal,
 * each also percent-encoded. A bare modulus or coordinate cannot be told from random bytes.
 */
function isKeyOfAPair(encoded: string, depth = 0): boolean {
  const text = withoutPercentEscapes(encoded);
  if (isPemText(text) || isJson(text) || isSshText(text) || isXml(text)) return true;
  if (depth === 2) return false;
  // What breaks a key into lines or groups is not part of it, whether it is a character or written out.
  const dense = text.replace(/\\[rnt]/g, '').replace(/[^A-Za-z0-9+/=_-]/g, '');
  const base64 = [dense, dense.replace(/[-_]/g, '')].flatMap((all) => all.match(/[A-Za-z0-9+/_-]{40,}/g) ?? []);
  const hexadecimal = (dense.replaceAll('-', '').match(/[0-9A-Fa-f]{64,}/g) ?? []).flatMap((run) =>
    [run, run.slice(1)].map((digits) => Buffer.from(digits, 'hex')),
  );
  return (
    [...base64.flatMap(derIn), ...hexadecimal].some(isKeyInDer) ||
    [...base64.flatMap(textsIn), ...hexadecimal.map((bytes) => bytes.toString('latin1'))].some((inner) =>
      isKeyOfAPair(inner, depth + 1),
    )
  );
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

/** In characters. Looking for keys in a text takes time with the square of its length. */
const maxTextLength = 16_384;

/** Throws KeyRefused, with a message that holds nothing of the secret, when one line cannot be used. */
export function loadHmacSecrets(text: string, wanted: readonly Algorithm[]): readonly LoadedKey[] {
  if (text.length > maxTextLength) throw new KeyRefused(`is longer than ${maxTextLength} characters`);
  if (isKeyOfAPair(text)) throw new KeyRefused('is a key of a public-key pair, which is no secret');
  const lines = new Set(text.split(/\r?\n/));
  if (lines.size > maxUnnamedKeys) throw new KeyRefused(`holds more than ${maxUnnamedKeys} keys`);
  return [...lines].map((line) => loadLine(line, wanted));
}
