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

/** Writes the time of a line. Many lines have the same, because writing it takes longer than the rest of a line. */
function createTimeText(clock: Clock): () => string {
  let writtenMs: number | undefined;
  let text = '';
  return () => {
    const now = clock.now();
    if (now !== writtenMs) text = new Date(now).toISOString();
    writtenMs = now;
    return text;
  };
}

/**
 * Returns the writer of lines. `names`: the members, in their order; `event` and `message` must need no escapes, and
 * numbers must be finite.
 */
export function createAuditLine(clock: Clock) {
  const timeText = createTimeText(clock);
  return <Name extends string>(
    level: string,
    event: string,
    names: readonly Name[],
    decision: Readonly<Partial<Record<Name, AuditValue>>>,
    message: string,
  ): string => {
    let line = `{"level":"${level}","time":"${timeText()}","event":"${event}"`;
    for (const name of names) {
      const value = decision[name];
      if (value !== undefined) line += `,"${name}":${toJson(value)}`;
    }
    return `${line},"message":"${message}"}\n`;
  };
}
