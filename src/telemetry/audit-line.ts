// Writes an audit line as JSON, in the form of pino's lines. By hand, because there is one for every request: the names
// are known, and pino takes several times as long. Only named members get into a line.
import type { Clock } from '../clock.ts';
import { escapeUnprintable } from '../printable.ts';

/** What a member of a line can hold; undefined: the line has no such member. */
export type AuditValue = string | number | boolean | undefined;

/** Text that JSON and a terminal show as it is: ASCII without quotation marks and backslashes. */
const plain = /^[ !#-[\]-~]*$/;

const quote = (text: string): string => (plain.test(text) ? `"${text}"` : escapeUnprintable(JSON.stringify(text)));

const toJson = (value: string | number | boolean): string => (typeof value === 'string' ? quote(value) : String(value));

/** Returns the writer of times. Many lines have the same time, and writing it takes longer than the rest of a line. */
export function createTimeText(clock: Clock): () => string {
  let writtenMs: number | undefined;
  let text = '';
  return () => {
    const now = clock.now();
    if (now !== writtenMs) text = new Date(now).toISOString();
    writtenMs = now;
    return text;
  };
}

interface AuditLine<Members extends Readonly<Record<string, true>>> {
  readonly level: string;
  readonly time: string;
  readonly event: string;
  /** The names of the members, in their order. */
  readonly members: Members;
  /** The values of the members. Numbers must be finite. */
  readonly decision: Readonly<Partial<Record<keyof Members, AuditValue>>>;
  readonly message: string;
}

/** The line, with its end. Escapes the values of the members, and nothing else. */
export function toAuditLine<Members extends Readonly<Record<string, true>>>(line: AuditLine<Members>): string {
  const { level, time, event, members, decision, message } = line;
  let text = `{"level":"${level}","time":"${time}","event":"${event}"`;
  for (const name in members) {
    const value = decision[name];
    if (value !== undefined) text += `,"${name}":${toJson(value)}`;
  }
  return `${text},"message":"${message}"}\n`;
}
