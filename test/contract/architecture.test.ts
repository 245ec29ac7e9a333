// Checks that the files and functions in docs/architecture.md exist.
import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readDocument, tableRowsBelow } from './settings-documents.ts';

const page = readDocument('docs/architecture.md');
const steps = ['## The path of one request', '## The path of a policy file']
  .flatMap((heading) => tableRowsBelow(page, heading))
  .map((row) => /^\| (.+) \| `(\w+)` \| \[`(.+)`\]\(\.\.\/src\/(.+)\) \|$/.exec(row)?.slice(1, 5) ?? [row]);

describe('docs/architecture.md', () => {
  it('lists the steps of a request and of a policy file', () => expect(steps.length).toBeGreaterThan(20));

  it.each(steps)('"%s": %s is in %s', (_step, name, shown, linked) => {
    expect(shown).toBe(linked);
    expect(readDocument(`src/${linked}`)).toMatch(new RegExp(`\\b${name}\\b`));
  });

  it('names only existing files of src', () => {
    const paths = [...page.matchAll(/\]\(\.\.\/([^)#]+)/g)].map(([, path = '']) => path);
    expect(paths.length).toBeGreaterThan(steps.length);
    expect(paths.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
  });

  it('lists every folder of src', () => {
    const mapped = tableRowsBelow(page, '## The map of folders').join('\n');
    const folders = readdirSync(new URL('../../src/', import.meta.url), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(folders.filter((name) => !mapped.includes(`(../src/${name})`))).toEqual([]);
  });
});
