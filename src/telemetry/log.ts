// The log: one JSON object per line on standard output. Errors are serialised by an allow-list, because messages of
// libraries quote their input (claims, tokens). Invisible characters are escaped.
import { pino, type Logger, type LoggerOptions } from 'pino';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { escapeUnprintable } from '../printable.ts';
import { createLogWriter, type LogSink } from './log-writer.ts';

const safeCode = /^[A-Z][A-Z0-9_]{1,63}$/;

/** Name, code, reason and stack frames of an error; never its message, which may quote input. */
export function toLoggableError(error: unknown): Record<string, unknown> {
  if (error instanceof ServiceError) return { type: error.name, code: error.code, reason: error.reason };
  if (!(error instanceof Error)) return { type: typeof error };
  const code = (error as NodeJS.ErrnoException).code;
  // The stack starts with the message, which may have lines that look like frames.
  const stack = error.stack ?? '';
  const messageAt = stack.indexOf(error.message);
  const afterMessage = messageAt === -1 ? '' : stack.slice(messageAt + error.message.length);
  const frames = afterMessage.split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' && safeCode.test(code) && { code }),
    stack: frames.slice(0, 12).map((line) => line.trim()),
  };
}

export interface Log {
  readonly logger: Logger;
  /** The writer of audit lines: the same output, at every level except `silent`. */
  readonly audit: AuditLog;
  /** Ordinary lines dropped since the start, because the reader was too slow. */
  readonly dropped: () => number;
  /** Resolves when every line is written, or after this many milliseconds. */
  readonly flush: (withinMs: number) => Promise<void>;
}

/** Writes audit lines; audit.ts creates them. */
export interface AuditLog {
  /** Writes a required line: true when it is written. */
  readonly record: (line: string) => Promise<boolean>;
  /** Writes a line that may be dropped. Resolves when it is written; at once while the reader is slow. */
  readonly note: (line: string) => Promise<unknown>;
  /** Whether `record` can succeed now. */
  readonly canRecord: () => boolean;
}

interface LogOptions {
  readonly level: string;
  readonly sink: LogSink;
  readonly clock: Clock;
}

/** Requests and replies are never serialised; the audit line has the relevant fields. */
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

  return {
    logger,
    audit: {
      record: writer.record,
      note: (line) => {
        writer.write(line);
        return writer.settled();
      },
      canRecord: writer.isFlowing,
    },
    dropped: writer.dropped,
    flush: writer.flush,
  };
}
