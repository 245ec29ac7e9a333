// Checks that docs/dependencies.md lists every dependency with its exact version and a reason, and no others, that the
// sizes of our own code are true, and that version managers get the same Node.js.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { readDocument, tableRowsBelow } from './settings-documents.ts';

const document = readDocument('docs/dependencies.md');

const rowsBelow = (heading: string) =>
  tableRowsBelow(document, heading).map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));

describe('## Only where they are used', () => {
  it('lists exactly the optional peer dependencies in package.json', () => {
    const listed = rowsBelow('## Only where they are used').map(([, name, version]) => [name, version]);
    expect(listed).toEqual(Object.entries(packageJson.peerDependencies));
    expect(Object.keys(packageJson.peerDependenciesMeta)).toEqual(Object.keys(packageJson.peerDependencies));
  });
});

describe.each([
  ['## At run time', packageJson.dependencies],
  ['## While building and testing', packageJson.devDependencies],
])('%s', (heading, dependencies) => {
  it('lists exactly the packages in package.json', () => {
    const listed = rowsBelow(heading).map(([, name, version]) => [name, version]);
    expect(listed).toEqual(Object.entries(dependencies).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

  it('has a reason for each package', () => {
    expect(rowsBelow(heading).filter(([, , , reason]) => (reason ?? '').length < 20)).toEqual([]);
  });

  it('has only exact versions', () => {
    expect(Object.values(dependencies).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

describe('## What replaced code of our own', () => {
  const rows = rowsBelow('## What replaced code of our own');

  it('names only packages that package.json asks for, and compares each with the old code', () => {
    const known = Object.keys({ ...packageJson.dependencies, ...packageJson.devDependencies });
    expect(rows.length).toBeGreaterThan(5);
    for (const [, name = '', lines, , kept, comparison = ''] of rows) {
      expect(known).toContain(name.split(' ')[0]);
      expect(lines).toMatch(/^\d+/);
      expect(kept).toMatch(/^20\d\d-\d\d-\d\d/);
      expect(comparison.length).toBeGreaterThan(40);
    }
  });
});

/** The lines of a file, or of all files in a folder. */
const linesOf = (path: string): number =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + linesOf(join(path, name)), 0)
    : readDocument(path).split('\n').length - 1;

describe('## Our own code, and why', () => {
  const rows = rowsBelow('## Our own code, and why').map(([, ...cells]) => cells);

  it.each(rows)('%s has about %s lines', (task, lines, ...why) => {
    const linked = [...task.matchAll(/\]\(\.\.\/(src\/[^)]+)\)/g)].map(([, path = '']) => path);
    const actual = linked.reduce((sum, path) => sum + linesOf(path), 0);
    const stated = Number.parseInt(lines.replace(',', ''), 10);
    const hint = `docs/dependencies.md says ${lines} lines; ${linked.join(', ')} have ${actual}`;
    expect(stated, hint).toBeLessThan(actual * 1.1);
    if (!lines.endsWith('a part')) expect(stated, hint).toBeGreaterThan(actual * 0.9);
    for (const text of why.slice(0, 2)) expect(text.length).toBeGreaterThan(5);
  });
});

describe.each(['.nvmrc', '.node-version'])('%s', (file) => {
  it('has the Node.js version that npm ci installs', () => {
    expect(readDocument(file)).toBe(`${packageJson.devDependencies.node}\n`);
  });
});
