// Loads the text of JWT_PUBLIC_KEY: PEM blocks or a JWK set. Each key must be usable or declare another purpose; a bad
// key is an error.
import { LoadProblem } from '../../problem.ts';
import { parseJsonObject, type JsonObject } from '../../strict-json.ts';
import type { Algorithm } from './algorithms.ts';
import { loadJwkSet } from './jwk-set.ts';
import { maxCandidateKeys, type VerificationKey } from './verification-keys.ts';
import { loadPem } from './pem-and-jwk.ts';

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=\r\n\t ]+-----END \1-----/g;
const publicLabels: ReadonlySet<string> = new Set(['PUBLIC KEY', 'RSA PUBLIC KEY']);

function loadPemBlocks(text: string, wanted: readonly Algorithm[]): readonly VerificationKey[] {
  const blocks = [...text.matchAll(pemBlock)];
  for (const [, label = ''] of blocks) {
    if (label.includes('PRIVATE')) throw new LoadProblem('contains a private key; set the public key only');
    if (label.includes('CERTIFICATE')) {
      throw new LoadProblem('contains a certificate; set its public key (openssl x509 -pubkey -noout)');
    }
    if (!publicLabels.has(label)) throw new LoadProblem('contains a PEM block that is not a public key');
  }
  if (blocks.length === 0 || text.replace(pemBlock, '').trim() !== '') {
    throw new LoadProblem('must be PEM blocks without other text, or a JWK set');
  }
  if (blocks.length > maxCandidateKeys) throw new LoadProblem(`contains more than ${maxCandidateKeys} keys`);
  return blocks.map(([block]) => loadPem(block, wanted));
}

function loadDocument(text: string, wanted: readonly Algorithm[]): readonly VerificationKey[] {
  let document: JsonObject;
  try {
    document = parseJsonObject(Buffer.from(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new LoadProblem(error.message);
  }
  const { keys, leftOut } = loadJwkSet(document, wanted);
  const bad = leftOut.find(({ isBad }) => isBad);
  if (bad !== undefined) throw new LoadProblem(`contains a key that cannot be used: ${bad.which} ${bad.why}`);
  if (keys.length > 0) return keys;
  const reasons = leftOut.map(({ which, why }) => `; ${which} ${why}`).join('');
  throw new LoadProblem(`contains no key for any of the configured algorithms${reasons}`);
}

/** Throws LoadProblem, with a message for the operator, if a key in the text is bad or none is usable. */
export function loadPublicKeys(text: string, wanted: readonly Algorithm[]): readonly VerificationKey[] {
  // Some editors add a byte order mark.
  const content = text.replace(/^\uFEFF/, '');
  return content.trimStart().startsWith('{') ? loadDocument(content, wanted) : loadPemBlocks(content, wanted);
}
