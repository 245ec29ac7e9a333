// The survivors that docs/mutation.md explains: rows of its tables, found again by file, code and change, so that the
// page and the run cannot drift apart.
import { basename } from 'node:path';
import type { Mutant } from './mutants.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** The first three cells of the row that explains this mutant. */
export const toRow = (file: string, { code, change }: Pick<Mutant, 'code' | 'change'>): string =>
  `| ${basename(file)} | \`${cell(code)}\` | ${cell(change)} |`;

/** The rows of the page, without the fourth cell, which says why. */
export const explainedRows = (page: string): ReadonlySet<string> =>
  new Set(
    page.split('\n').flatMap((line) => {
      const found = /^(\| [\w.-]+\.ts \| `.*` \| (?:[^|]|\\\|)* \|) (?=[^| ])/.exec(line);
      return found?.[1] === undefined ? [] : [found[1]];
    }),
  );
