// The log: one JSON object a line on standard output. Errors go through an allow-list, because messages of libraries
// repeat what they were given (claims, tokens, snippets of input), and characters that no reader sees are escaped.
import { pino, type Logger, type LoggerOptions } from 'pino';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { escapeUnprintable } from '../printable.ts';
import { createLogWriter, type LogSink } from './log-writer.ts';

const safeCode = /^[A-Z][A-Z0-9_]{1,63}$/;

/** Name, code, reason and stack frames of an error; never its message, whose origin cannot be known here. */
export function toLoggableError(error: unknown): Record<string, unknown> {
  if (error instanceof ServiceError) return { type: error.name, code: error.code, reason: error.reason };
  if (!(error instanceof Error)) return { type: typeof error };
  const code = (error as NodeJS.ErrnoException).code;
  // The stack begins with the message, which may hold lines that look like frames.
  const stack = error.stack ?? '';
  const messageAt = stack.indexOf(error.message);
  const afterMessage = messageAt === -1 ? '' : stack.slice(messageAt + error.message.length);
  const frames = afterMessage.split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' && safeCode.test(code) ? { code } : {}),
    stack: frames.slice(0, 12).map((line) => line.trim()),
  };
}

/** A duration as log lines have it: three decimals at most. */
export const milliseconds = (value: number): number => Math.round(value * 1000) / 1000;

export interface Log {
  readonly logger: Logger;
  /** Where the audit's lines go: the same output, at every level but `silent`. */
  readonly audit: AuditLog;
  /** Ordinary lines dropped since the start, because their reader was too slow. */
  readonly dropped: () => number;
  /** Resolves when every line is out, or after so many milliseconds. */
  readonly flush: (withinMs: number) => Promise<void>;
}

/** How audit lines are written; the lines themselves are audit.ts's. */
export interface AuditLog {
  /** Writes a line that something depends on: true once it is out. */
  readonly record: (level: AuditLevel, fields: object, message: string) => Promise<boolean>;
  /**
   * Writes a line that is dropped rather than waited for; resolves when it is out, or at once while the reader is slow.
   */
  readonly note: (level: AuditLevel, fields: object, message: string) => Promise<unknown>;
  /** Whether `record` can succeed now. */
  readonly canRecord: () => boolean;
}

type AuditLevel = 'info' | 'warn' | 'error';

interface LogOptions {
  readonly level: string;
  readonly sink: LogSink;
  readonly clock: Clock;
}

/** Requests and replies are never serialised: the audit line says what is worth saying. */
const toOptions = (level: string): LoggerOptions => ({
  level,
  base: null,
  messageKey: 'message',
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  serializers: { err: toLoggableError, error: toLoggableError, req: () => undefined, res: () => undefined },
});

/** Creates the process's log. */
export function createLog({ level, sink, clock }: LogOptions): Log {
  const writer = createLogWriter({
    sink,
    clock,
    onDropped: (lines) =>
      logger.warn({ lines }, 'log lines were dropped because standard output was not read, or could not be written'),
  });
  const logger = pino(toOptions(level), { write: (line) => writer.write(escapeUnprintable(line)) });

  if (level === 'silent') {
    const nothing: AuditLog = {
      record: () => Promise.resolve(true),
      note: () => Promise.resolve(),
      canRecord: () => true,
    };
    return { logger, audit: nothing, dropped: writer.dropped, flush: writer.flush };
  }

  // pino hands over a line before it returns, so the last one is the caller's own.
  let line = '';
  const record = pino(toOptions('info'), { write: (text) => (line = escapeUnprintable(text)) });
  return {
    logger,
    audit: {
      record: (recordLevel, fields, message) => {
        record[recordLevel](fields, message);
        return writer.record(line);
      },
      note: (noteLevel, fields, message) => {
        record[noteLevel](fields, message);
        writer.write(line);
        return writer.settled();
      },
      canRecord: writer.isFlowing,
    },
    dropped: writer.dropped,
    flush: writer.flush,
  };
}
