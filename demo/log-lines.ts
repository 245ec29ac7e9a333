// Passes the proxy's log lines on to standard output, in a readable form on a terminal, and keeps the audit lines for
// the page, which shows the operator's view next to the browser's.
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import pretty from 'pino-pretty';

type AuditLine = Readonly<Record<string, unknown>>;

export interface LogLines {
  /** The audit line of a recent request. */
  readonly auditOf: (requestId: string) => AuditLine | undefined;
}

const kept = 500;

function parseAuditLine(line: string): AuditLine | undefined {
  try {
    const parsed = JSON.parse(line) as AuditLine;
    return String(parsed['event']).startsWith('guest_token.') ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export function followLogLines(log: Readable, terminal: NodeJS.WriteStream): LogLines {
  const audit = new Map<string, AuditLine>();
  const out = terminal.isTTY
    ? pretty({
        colorize: true,
        translateTime: 'SYS:HH:MM:ss.l',
        messageKey: 'message',
        destination: terminal,
        sync: true,
      })
    : terminal;
  createInterface({ input: log }).on('line', (line) => {
    out.write(`${line}\n`);
    const parsed = parseAuditLine(line);
    if (parsed === undefined) return;
    audit.set(String(parsed['requestId']), parsed);
    for (const [oldest] of audit) if (audit.size > kept) audit.delete(oldest);
  });
  return { auditOf: (requestId) => audit.get(requestId) };
}
