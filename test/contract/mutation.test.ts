// docs/mutation.md against the code: it explains changes that the mutation run makes, and no others.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { areas, sourcesOf } from '../mutation/areas.ts';
import { explainedRows, toRow } from '../mutation/explained-survivors.ts';
import { mutantsOf } from '../mutation/mutants.ts';

async function allRows(): Promise<ReadonlySet<string>> {
  const rows = new Set<string>();
  for (const area of Object.values(areas)) {
    for (const file of await sourcesOf(area)) {
      for (const mutant of mutantsOf(file, await readFile(file, 'utf8'))) rows.add(toRow(file, mutant));
    }
  }
  return rows;
}

describe('the table of survivors', () => {
  it('names changes that can still be made to the code as it is', async () => {
    const explained = explainedRows(await readFile('docs/mutation.md', 'utf8'));
    const made = await allRows();
    expect(explained.size).toBeGreaterThan(50);
    expect([...explained].filter((row) => !made.has(row))).toEqual([]);
  });
});
