// Parses .env.example and tables of documents.
import { readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

export const readDocument = (path: string): string => readFileSync(new URL(path, root), 'utf8');

export interface EnvExampleEntry {
  readonly name: string;
  readonly value: string;
  /** The comment above it, on one line; several names may share one comment. */
  readonly comment: string;
}

/** Every `NAME=value` line, commented out or not, with the comment above it. */
export function parseEnvExample(text: string): readonly EnvExampleEntry[] {
  const entries: EnvExampleEntry[] = [];
  let comment: string[] = [];
  for (const line of text.split('\n')) {
    const assignment = /^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (assignment !== null) {
      entries.push({ name: assignment[1] ?? '', value: assignment[2] ?? '', comment: comment.join(' ') });
    } else if (line.startsWith('# ')) {
      comment.push(line.slice(2));
    } else {
      comment = [];
    }
  }
  return entries;
}

/** The body rows of the first table below a heading, without padding. */
export function tableRowsBelow(text: string, heading: string): readonly string[] {
  const start = text.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`there is no heading "${heading}"`);
  const lines = text.slice(start).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const end = lines.findIndex((line, index) => index > first && !line.startsWith('|'));
  return lines.slice(first + 2, end === -1 ? undefined : end).map((row) => row.replace(/ +/g, ' '));
}
