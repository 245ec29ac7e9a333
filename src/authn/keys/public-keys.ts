// The text of JWT_PUBLIC_KEY: PEM blocks, or a JWK set document. Everything in it must be usable; nothing is skipped.
import type { Algorithm } from './algorithms.ts';
import { loadJwkSet } from './jwk-set.ts';
import { createKeyRing, maxUnnamedKeys, type KeyRing } from './key-ring.ts';
import { KeyRefused, loadPem } from './public-key.ts';
import { parseJsonObject, type JsonObject } from '../../strict-json.ts';

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=\r\n\t ]+-----END \1-----/g;
const publicLabels: ReadonlySet<string> = new Set(['PUBLIC KEY', 'RSA PUBLIC KEY']);

function loadPemBlocks(text: string, wanted: readonly Algorithm[]): KeyRing {
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
  if (blocks.length > maxUnnamedKeys) throw new KeyRefused(`holds more than ${maxUnnamedKeys} keys`);
  return createKeyRing(
    blocks.map(([block]) => loadPem(block, wanted)),
    false,
  );
}

function loadDocument(text: string, wanted: readonly Algorithm[]): KeyRing {
  let document: JsonObject;
  try {
    document = parseJsonObject(Buffer.from(text));
  } catch (error) {
    throw new KeyRefused(error instanceof Error ? error.message : 'is not JSON');
  }
  const { keys, ignored } = loadJwkSet(document, wanted);
  const [first] = ignored;
  if (first !== undefined) throw new KeyRefused(`holds a key that cannot be used: ${first.which} ${first.why}`);
  if (keys.length === 0) throw new KeyRefused('holds no key for any of the configured algorithms');
  return createKeyRing(keys, true);
}

/** Throws KeyRefused, with a message for the operator, unless every key in the text can be used. */
export const loadPublicKeys = (text: string, wanted: readonly Algorithm[]): KeyRing =>
  text.trimStart().startsWith('{') ? loadDocument(text, wanted) : loadPemBlocks(text, wanted);
