// Parses the compact form of a JWS strictly (RFC 7515 §7.1), before any library sees it: differences between parsers
// let tokens bypass checks. Checks its header (RFC 7515 §4, RFC 8725 §3) against the configuration of the issuer. Never
// reads `jku`, `x5u`, `jwk`, `x5c` or `x5t`: keys come from configuration only. Checks no signature; nothing in the
// results is trusted yet.
import { own, parseJsonObject, type JsonObject } from '../strict-json.ts';
import type { IssuerConfig } from './issuer.ts';
import { algorithmNamed, type Algorithm } from './keys/algorithms.ts';
import { refuseToken, type TokenRefusal } from './token-refusal.ts';

/** In bytes. Tokens are ASCII, so also in characters. */
export const maxTokenBytes = 16_384;

export interface CompactJws {
  readonly header: JsonObject;
  readonly payload: JsonObject;
  /** In bytes. */
  readonly signatureLength: number;
}

/** The bytes, or undefined unless the text is their one canonical encoding without padding (RFC 7515 §2). */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  // Node's decoder skips unknown characters and ignores stray bits. Encoding the bytes again detects both.
  return segment !== '' && bytes.toString('base64url') === segment ? bytes : undefined;
}

/** The parts of the token. Refuses anything but three canonical segments, the first two of them JSON objects. */
export function parseCompactJws(token: string): CompactJws | TokenRefusal {
  const segments = token.split('.', 6);
  if (segments.length !== 3) return refuseToken('token_malformed', { received: `${segments.length} segments` });
  const [header, payload, signature] = segments.map(decodeSegment);
  if (header === undefined || payload === undefined || signature === undefined) {
    return refuseToken('token_malformed', { received: 'a segment that is not base64url' });
  }
  try {
    return { header: parseJsonObject(header), payload: parseJsonObject(payload), signatureLength: signature.length };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refuseToken('token_malformed', { received: `JSON that ${error.message}` });
  }
}

/**
 * Members that are refused if present, whatever their value: extensions that a reader must understand (`crit`), an
 * unencoded payload (`b64`, RFC 7797), compression (`zip`), and encryption (`enc`).
 */
const refusedMembers = ['crit', 'b64', 'zip', 'enc'] as const;

const acceptedTypes: readonly string[] = ['jwt', 'at+jwt'];

export interface JoseHeader {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
}

const mediaType = (text: string): string => text.toLowerCase().replace(/^application\//, '');

function typeRefusal(header: JsonObject, issuer: IssuerConfig): TokenRefusal | undefined {
  const present = Object.hasOwn(header, 'typ');
  if (!present && issuer.typ === undefined) return undefined;
  const typ = own(header, 'typ');
  const expected = issuer.typ === undefined ? acceptedTypes : [mediaType(issuer.typ)];
  if (typeof typ === 'string' && expected.includes(mediaType(typ))) return undefined;
  return refuseToken('token_type_refused', { received: typ, expected });
}

/** The header, or a refusal if this issuer's tokens may not have it. */
export function readJoseHeader(header: JsonObject, issuer: IssuerConfig): JoseHeader | TokenRefusal {
  for (const member of refusedMembers) {
    if (Object.hasOwn(header, member)) return refuseToken('token_header_refused', { received: member });
  }
  const alg = own(header, 'alg');
  const algorithm = algorithmNamed(alg);
  if (algorithm === undefined || !issuer.algorithms.includes(algorithm)) {
    return refuseToken('algorithm_refused', { received: alg, expected: issuer.algorithms });
  }

  const refusal = typeRefusal(header, issuer);
  if (refusal !== undefined) return refusal;
  // RFC 7519 §5.2: a nested token.
  const cty = own(header, 'cty');
  if (Object.hasOwn(header, 'cty') && (typeof cty !== 'string' || mediaType(cty) === 'jwt')) {
    return refuseToken('token_type_refused', { received: cty });
  }

  const kid = own(header, 'kid');
  if (typeof kid === 'string') return { algorithm, kid };
  return Object.hasOwn(header, 'kid')
    ? refuseToken('token_header_refused', { received: 'kid' })
    : { algorithm, kid: undefined };
}
