// Parses the compact form of a JWS strictly (RFC 7515 §7.1), before any library sees it: differences between parsers
// let tokens bypass checks. Checks no signature; nothing in the result is trusted yet.
import { parseJsonObject, type JsonObject } from '../strict-json.ts';
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
