// The survivors that docs/mutation.md explains: rows of its tables, found again by file, code and change, so that the
// page and the run cannot drift apart.
import { basename } from 'node:path';
import type { Mutant } from './mutants.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** The first three cells of the row that explains this mutant. */
export const toRow = (file: string, { code, change }: Pick<Mutant, 'code' | 'change'>): string =>
  `| ${basename(file)} | \`${cell(code)}\` | ${cell(change)} |`;

/** Whether the page explains this mutant: by its change, or by a row for whatever is done to its line (`any`). */
export function readExplanations(page: string): (file: string, mutant: Mutant) => boolean {
  const rows = new Set(
    page.split('\n').flatMap((line) => {
      const found = /^(\| [\w.-]+\.ts \| `.*` \| (?:[^|]|\\\|)* \|) (?=[^| ])/.exec(line);
      return found?.[1] === undefined ? [] : [found[1]];
    }),
  );
  return (file, mutant) => rows.has(toRow(file, mutant)) || rows.has(toRow(file, { ...mutant, change: 'any' }));
}
