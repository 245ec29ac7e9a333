import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ensurePlayground } from '../../../scripts/build-playground.ts';

it('builds the playground if a file of it is missing or older than a source, and not otherwise', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-playground-'));
  const page = join(folder, 'page.js');
  await ensurePlayground(folder);
  expect(readFileSync(page, 'utf8')).toContain('cm-content');
  writeFileSync(page, 'kept');
  await ensurePlayground(folder);
  expect(readFileSync(page, 'utf8')).toBe('kept');
  const { mtime } = statSync('src/playground/page/editor.ts');
  utimesSync(join(folder, 'page.css'), mtime, mtime);
  await ensurePlayground(folder);
  expect(readFileSync(page, 'utf8')).toContain('cm-content');
  rmSync(page);
  await ensurePlayground(folder);
  expect(readFileSync(page, 'utf8')).toContain('cm-content');
  rmSync(folder, { recursive: true });
});
