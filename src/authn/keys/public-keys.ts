// The text of JWT_PUBLIC_KEY: PEM blocks, or a JWK set document. Everything in it must be usable or for another purpose
// by its own word; nothing bad is skipped.
import { parseJsonObject, type JsonObject } from '../../strict-json.ts';
import type { Algorithm } from './algorithms.ts';
import { loadJwkSet } from './jwk-set.ts';
import { maxCandidateKeys } from './key-ring.ts';
import { loadPem } from './public-key.ts';
import { KeyRefused, type VerificationKey } from './verification-key.ts';

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=\r\n\t ]+-----END \1-----/g;
const publicLabels: ReadonlySet<string> = new Set(['PUBLIC KEY', 'RSA PUBLIC KEY']);

function loadPemBlocks(text: string, wanted: readonly Algorithm[]): readonly VerificationKey[] {
  const blocks = [...text.matchAll(pemBlock)];
  for (const [, label = ''] of blocks) {
    if (label.includes('PRIVATE')) throw new KeyRefused('holds a private key; give its public half only');
    if (label.includes('CERTIFICATE')) {
      throw new KeyRefused('holds a certificate; give its key (openssl x509 -pubkey -noout)');
    }
    if (!publicLabels.has(label)) throw new KeyRefused('holds a PEM block that is not a public key');
  }
  if (blocks.length === 0 || text.replace(pemBlock, '').trim() !== '') {
    throw new KeyRefused('is neither PEM from its first to its last line nor a JWK set document');
  }
  if (blocks.length > maxCandidateKeys) throw new KeyRefused(`holds more than ${maxCandidateKeys} keys`);
  return blocks.map(([block]) => loadPem(block, wanted));
}

function loadDocument(text: string, wanted: readonly Algorithm[]): readonly VerificationKey[] {
  let document: JsonObject;
  try {
    document = parseJsonObject(Buffer.from(text));
  } catch (error) {
    throw new KeyRefused(error instanceof Error ? error.message : 'is not JSON');
  }
  const { keys, leftOut } = loadJwkSet(document, wanted);
  const bad = leftOut.find(({ isBad }) => isBad);
  if (bad !== undefined) throw new KeyRefused(`holds a key that cannot be used: ${bad.which} ${bad.why}`);
  if (keys.length > 0) return keys;
  const reasons = leftOut.map(({ which, why }) => `; ${which} ${why}`).join('');
  throw new KeyRefused(`holds no key for any of the configured algorithms${reasons}`);
}

/** Throws KeyRefused, with a message for the operator, unless every key in the text can be used. */
export function loadPublicKeys(text: string, wanted: readonly Algorithm[]): readonly VerificationKey[] {
  // Editors put a byte order mark there; it is no part of the keys.
  const content = text.replace(/^\uFEFF/, '');
  return content.trimStart().startsWith('{') ? loadDocument(content, wanted) : loadPemBlocks(content, wanted);
}
