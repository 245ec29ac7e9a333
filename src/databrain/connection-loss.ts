// Classifies undici's errors: the connection was closed, or the response was not valid HTTP.
import { errors } from 'undici';

/** Messages of undici's SocketError for a closed connection. Its others mean an unexpected response. */
const ends: ReadonlySet<string> = new Set(['other side closed', 'closed']);

/** The parser's message for a truncated response, which has no error code. */
const cutOff = 'Invalid EOF state';

/**
 * Whether the bytes received are not a response, or a response without a request.
 * @param headersCame whether the headers of the response were complete before the error
 */
export function isProtocolViolation(error: unknown, headersCame: boolean): boolean {
  if (error instanceof errors.SocketError) return !ends.has(error.message);
  if (error instanceof errors.HTTPParserError) return !error.message.includes(cutOff);
  // Before the headers are complete, a length error means contradicting lengths.
  if (error instanceof errors.ResponseContentLengthMismatchError) return !headersCame;
  return error instanceof errors.HeadersOverflowError;
}

/** The error's code only, because messages of TLS and DNS errors quote the other side. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,59}$/.test(code) ? code : undefined;
}
