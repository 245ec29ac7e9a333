// Loads HMAC secrets (RFC 7518 §3.2), one per line. Refuses secrets that are too short or known to others: a key of a
// public-key pair (key confusion, RFC 8725 §2.1), a published example, one repeated character. The checks take linear
// time; they find mistakes and do not prove that a secret is random.
import { createPrivateKey, createPublicKey, createSecretKey, X509Certificate } from 'node:crypto';
import { LoadProblem } from '../../problem.ts';
import { Secret } from '../../secrets/secret.ts';
import { textProblem } from '../../unusable-text.ts';
import { hmacKeyBytesFor, type Algorithm } from './algorithms.ts';
import { maxCandidateKeys, type VerificationKey } from './verification-keys.ts';

/** How the signer turns the configured text into the bytes of the key. */
export const secretEncodings = ['text', 'base64', 'base64url', 'hex'] as const;
export type SecretEncoding = (typeof secretEncodings)[number];

/** From RFC 7515 §A.1, RFC 7520 §3.5, jwt.io, and the documentation and tutorials of widely used servers. */
const publishedSecrets: ReadonlySet<string> = new Set([
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg',
  'a-string-secret-at-least-256-bits-long',
  'a-valid-string-secret-that-is-at-least-384-bits-long',
  'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
  'super-secret-jwt-token-with-at-least-32-characters-long',
  'reallyreallyreallyreallyverysafe',
  'my-secret-token-to-change-in-production',
  '404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970',
  '3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R',
]);

const derReaders: readonly ((key: Buffer) => unknown)[] = [
  (key) => createPublicKey({ key, format: 'der', type: 'spki' }),
  (key) => createPublicKey({ key, format: 'der', type: 'pkcs1' }),
  (key) => createPrivateKey({ key, format: 'der', type: 'pkcs8' }),
  (key) => createPrivateKey({ key, format: 'der', type: 'pkcs1' }),
  (key) => createPrivateKey({ key, format: 'der', type: 'sec1' }),
  (key) => new X509Certificate(key),
];

/** Whether the bytes are a key in DER. All forms are a SEQUENCE, so other bytes are not tried. */
const isKeyInDer = (bytes: Buffer): boolean =>
  bytes[0] === 0x30 &&
  derReaders.some((read) => {
    try {
      read(bytes);
      return true;
    } catch {
      return false;
    }
  });

/** Whether the text holds a key as PEM, JWK, in SSH's format, or as DER in base64. */
function isKeyOfAPair(text: string): boolean {
  if (/BEGIN [A-Z0-9 ]{0,24}(PUBLIC KEY|PRIVATE KEY|CERTIFICATE)|(ssh|ecdsa)-[a-z0-9-]{1,32} AAAA/i.test(text))
    return true;
  if (/"(kty|keys)"\s*:/.test(text)) return true;
  const dense = text.replace(/\s/g, '');
  return /^[A-Za-z0-9+/_-]+=*$/.test(dense) && isKeyInDer(Buffer.from(dense, 'base64'));
}

function refuseKnownText(text: string): void {
  if (isKeyOfAPair(text)) throw new LoadProblem('is a key of a public-key pair, not a secret');
  if (publishedSecrets.has(text)) throw new LoadProblem('is a published example');
  if (/^(.)\1*$/su.test(text)) throw new LoadProblem('is one repeated character');
}

/** The bytes, or undefined if the line is not valid in this encoding. Padding is optional. */
function decode(line: string, encoding: SecretEncoding): Buffer | undefined {
  if (encoding === 'text') return Buffer.from(line, 'utf8');
  const bytes = Buffer.from(line, encoding);
  const encoded = bytes.toString(encoding);
  if (encoding === 'hex') return encoded === line.toLowerCase() ? bytes : undefined;
  return encoded.replace(/=+$/, '') === line.replace(/={1,2}$/, '') ? bytes : undefined;
}

function loadLine(line: string, wanted: readonly Algorithm[], encoding: SecretEncoding): VerificationKey {
  if (line === '') throw new LoadProblem('has an empty line');
  if (line.trim() !== line) throw new LoadProblem('has white space at the start or end of a key');
  const unusable = textProblem(line, 'secret');
  if (unusable !== undefined) throw new LoadProblem(unusable.problem);
  if (line.includes(',')) throw new LoadProblem('has a comma; write one key per line');
  // Text that was changed in decoding would be a different key.
  if (line.includes('\uFFFD') || !line.isWellFormed()) throw new LoadProblem('is not UTF-8 text');
  const bytes = decode(line, encoding);
  if (bytes === undefined) throw new LoadProblem(`is not valid ${encoding}, the configured encoding`);
  const needed = hmacKeyBytesFor(wanted);
  if (bytes.length < needed)
    throw new LoadProblem(`is shorter than the ${needed} bytes that ${wanted.join(', ')} needs`);
  refuseKnownText(line);
  if (encoding !== 'text') {
    if (isKeyInDer(bytes)) throw new LoadProblem('is a key of a public-key pair, not a secret');
    refuseKnownText(bytes.toString('latin1'));
  }
  return { algorithms: wanted, material: createSecretKey(bytes), written: new Secret(line) };
}

/** In characters, of all lines together. */
const maxTextLength = 16_384;

/** Throws LoadProblem if a line cannot be used. Its message contains no part of the secret. */
export function loadHmacSecrets(
  text: string,
  wanted: readonly Algorithm[],
  encoding: SecretEncoding = 'text',
): readonly VerificationKey[] {
  if (text.length > maxTextLength) throw new LoadProblem(`is longer than ${maxTextLength} characters`);
  if (isKeyOfAPair(text)) throw new LoadProblem('is a key of a public-key pair, not a secret');
  const lines = new Set(text.split(/\r?\n/));
  if (lines.size > maxCandidateKeys) throw new LoadProblem(`contains more than ${maxCandidateKeys} keys`);
  return [...lines].map((line) => loadLine(line, wanted, encoding));
}
