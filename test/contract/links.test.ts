// Checks the links of the documents: every relative link has a file, every # a heading of its page.
import { existsSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDocument } from './settings-documents.ts';

const root = new URL('../../', import.meta.url);
const inRoot = readdirSync(root).filter((name) => name.endsWith('.md'));
const inDocs = readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name.replaceAll('\\', '/')}`);
const pages = [...inRoot, ...inDocs];

const withoutCode = (text: string): string => text.replace(/^(`{3,}).*?^\1/gms, '').replace(/`[^`\n]*`/g, 'code');
const targetsOf = (text: string): readonly string[] =>
  [...withoutCode(text).matchAll(/(?:\]\(|(?:href|src)=")([^)"\s]+)/g)].map((match) => match[1] ?? '');

/** The anchor of a heading, as GitHub creates it. */
const anchorsOf = (text: string): readonly string[] =>
  [...text.replace(/^(`{3,}).*?^\1/gms, '').matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

function isBroken(page: string, target: string): boolean {
  if (/^(https?|mailto):/.test(target)) return false;
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? page : posix.join(posix.dirname(page), file);
  if (!existsSync(new URL(path, root))) return true;
  return anchor !== undefined && path.endsWith('.md') && !anchorsOf(readDocument(path)).includes(anchor);
}

describe('the links', () => {
  it('are searched in existing pages', () => {
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'SECURITY.md', 'CHANGELOG.md', 'docs/dependencies.md']));
    expect(targetsOf(readDocument('SECURITY.md')).length).toBeGreaterThan(20);
    expect(targetsOf('[a](b.md#c) <a href="d.md"><img src="e.png"></a>')).toEqual(['b.md#c', 'd.md', 'e.png']);
  });

  it.each(pages)('in %s have a target', (page) => {
    expect(targetsOf(readDocument(page)).filter((target) => isBroken(page, target))).toEqual([]);
  });

  it('without a target are reported', () => {
    expect(
      ['nowhere.md', '#no-such-heading', 'SECURITY.md#no-such-heading'].map((one) => isBroken('README.md', one)),
    ).toEqual([true, true, true]);
    expect(
      ['SECURITY.md#reporting', '#commands', 'https://example.com'].map((one) => isBroken('README.md', one)),
    ).toEqual([false, false, false]);
  });
});
