// Reads undici's errors: whether a connection merely ended, or whether what came over it was no HTTP. Both end the
// connection; only the second says that the upstream, or something before it, does not keep to the protocol.
import { errors } from 'undici';

/** Messages of undici's SocketError for the end of a connection; its others say that an answer had no place there. */
const ends: ReadonlySet<string> = new Set(['other side closed', 'closed']);

/** The parser's word for an answer that was cut off; it has no code for it. */
const cutOff = 'Invalid EOF state';

/**
 * Whether bytes came that are no answer, or an answer that nobody asked for.
 * @param headersCame whether the headers of the answer were complete when the error came
 */
export function isProtocolViolation(error: unknown, headersCame: boolean): boolean {
  if (error instanceof errors.SocketError) return !ends.has(error.message);
  if (error instanceof errors.HTTPParserError) return !error.message.includes(cutOff);
  // Until the headers are complete a length can only contradict another length.
  if (error instanceof errors.ResponseContentLengthMismatchError) return !headersCame;
  return error instanceof errors.HeadersOverflowError;
}

/** The error's code and nothing else of it: messages of TLS and DNS errors quote what the other side sent. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,59}$/.test(code) ? code : undefined;
}
