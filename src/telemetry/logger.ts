// The log: one JSON object a line on stdout. Errors go through an allow-list, because messages of libraries repeat
// what they were given (claims, tokens, snippets of input).
import { pino, type DestinationStream, type Logger } from 'pino';
import { ServiceError } from '../errors.ts';

const safeCode = /^[A-Z][A-Z0-9_]{1,63}$/;

/** Name, code, reason and stack frames of an error; never its message, whose origin cannot be known here. */
export function toLoggableError(error: unknown): Record<string, unknown> {
  if (error instanceof ServiceError) return { type: error.name, code: error.code, reason: error.reason };
  if (!(error instanceof Error)) return { type: typeof error };
  const code = (error as NodeJS.ErrnoException).code;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' && safeCode.test(code) ? { code } : {}),
    stack: frames.slice(0, 12).map((line) => line.trim()),
  };
}

/** Creates the process's logger. Requests and replies are never serialised: the audit line says what is worth saying. */
export function createLogger(level: string, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: toLoggableError, error: toLoggableError, req: () => undefined, res: () => undefined },
    },
    destination,
  );
}
