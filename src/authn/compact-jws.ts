// The compact form of a JWS (RFC 7515 §7.1), taken apart strictly before any library sees it: what one parser takes
// and another leaves is how tokens get past a gate. Checks no signature; nothing in here is trusted yet.
import { ServiceError } from '../errors.ts';
import { refusal } from './refusal.ts';
import { parseJsonObject, type JsonObject } from '../strict-json.ts';

/** In bytes; the text is ASCII or refused. */
export const maxTokenBytes = 16_384;

export interface UnverifiedToken {
  readonly header: JsonObject;
  readonly payload: JsonObject;
  /** In bytes. */
  readonly signatureLength: number;
}

/** The bytes, or undefined unless the text is their one canonical encoding without padding (RFC 7515 §2). */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  // Node's decoder skips what it does not know and takes stray bits; writing the bytes again shows either.
  return segment !== '' && bytes.toString('base64url') === segment ? bytes : undefined;
}

/**
 * Throws INVALID_TOKEN unless the text is three canonical segments, the first two of them JSON objects, and
 * HEADERS_TOO_LARGE for a token that is too long: its user cannot get a shorter one by logging in again.
 */
export function parseCompactJws(token: string): UnverifiedToken {
  if (token.length > maxTokenBytes) throw new ServiceError('HEADERS_TOO_LARGE', 'token_too_large');
  const segments = token.split('.', 6);
  if (segments.length !== 3) throw refusal('token_malformed');
  const [header, payload, signature] = segments.map(decodeSegment);
  if (header === undefined || payload === undefined || signature === undefined) throw refusal('token_malformed');
  try {
    return {
      header: parseJsonObject(header),
      payload: parseJsonObject(payload),
      signatureLength: signature.length,
    };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refusal('token_malformed');
  }
}
