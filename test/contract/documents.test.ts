// Checks that the documents that `npm run schema` writes are up to date.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { documents } from '../../scripts/documents.ts';

const root = new URL('../../', import.meta.url);

it.each(documents(root).map(({ file, text }) => [file, text]))('%s matches the code', (file, text) => {
  const isWritten = readFileSync(new URL(file, root), 'utf8') === text;
  expect(isWritten, `${file} is out of date. Run: npm run schema`).toBe(true);
});
