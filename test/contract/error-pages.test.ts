// Checks that every error code has a page, and every reason a cause and a fix on the page of each of its codes.
import { describe, expect, it } from 'vitest';
import { existsSync, readdirSync } from 'node:fs';
import { errorCodes, errorRow } from '../../src/errors.ts';
import { reasons } from '../../src/refusal-reasons.ts';
import { reasonsOf } from '../support/refusal-of-code.ts';
import { readSources } from '../unit/structure/source-file.ts';
import { readDocument, tableRowsBelow } from './settings-documents.ts';

/** Empty if it does not exist. */
const page = (code: string): string => {
  const path = `docs/errors/${code}.md`;
  return existsSync(new URL(`../../${path}`, import.meta.url)) ? readDocument(path) : '';
};
const table = readDocument('docs/errors/README.md');

describe('docs/errors', () => {
  it('has a page for each error code, and no other page', () => {
    const names = readdirSync(new URL('../../docs/errors/', import.meta.url)).filter((name) => name !== 'README.md');
    const fix = 'write or remove docs/errors/<CODE>.md, a page for each row of src/errors.ts';
    expect(names.sort(), fix).toEqual(errorCodes.map((code) => `${code}.md`).sort());
  });

  it.each(errorCodes)('says for %s what happened, who fixes it and what a client does', (code) => {
    const { status } = errorRow(code);
    const fix = `write docs/errors/${code}.md with the headings of the other pages`;
    expect(page(code).startsWith(`# \`${code}\` (${status})\n`), fix).toBe(true);
    for (const heading of ['What happened', 'Who fixes it', 'What a client does', 'Reasons in the audit line']) {
      expect(page(code), fix).toContain(`\n## ${heading}\n`);
    }
  });

  it('lists them in the order of src/errors.ts, each with its status and what a client should do', () => {
    const rows = tableRowsBelow(table, '## Codes').map((row) => row.split('|').map((cell) => cell.trim()));
    expect(
      rows.map(([, status, code]) => [status, code]),
      'correct the table of docs/errors/README.md by src/errors.ts',
    ).toEqual(errorCodes.map((code) => [String(errorRow(code).status), `[\`${code}\`](${code}.md)`]));
    expect(rows.map(([, , , action]) => action)).not.toContain('');
  });

  it.each(errorCodes)(
    'has a cause and a fix on the page of %s for each reason of this code, and no other reason',
    (code) => {
      const rows = [...page(code).matchAll(/^\| `(\w+)` \| (.+) \| (.+) \|$/gm)].map(([, reason]) => reason);
      // Without the head of the table.
      const explained = rows.filter((name) => name !== 'reason');
      const file = `docs/errors/${code}.md`;
      const fix = `give ${file} one row, with cause and fix, for each reason that src/refusal-reasons.ts gives ${code}`;
      expect(explained.toSorted(), fix).toEqual(reasonsOf(code).toSorted());
      expect(explained, `src/refusal-reasons.ts needs a reason of ${code}`).not.toEqual([]);
    },
  );
});

describe('src', () => {
  const tables = ['src/refusal-reasons.ts', 'src/authn/refusal-advice.ts'];
  const sources = readSources().filter(({ path }) => !tables.includes(path));

  it.each(reasons)('refuses with the reason %s', (reason) => {
    const isUsed = sources.some(({ text }) => text.includes(`'${reason}'`));
    expect(isUsed, `no file of src/ refuses with ${reason}: remove it from src/refusal-reasons.ts, or throw it`).toBe(
      true,
    );
  });
});
