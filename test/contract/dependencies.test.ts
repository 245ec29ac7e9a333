// Checks that docs/dependencies.md lists every dependency with its exact version and a reason, and no others, and that
// version managers get the same Node.js.
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { readDocument, tableRowsBelow } from './settings-documents.ts';

const document = readDocument('docs/dependencies.md');

const rowsBelow = (heading: string) =>
  tableRowsBelow(document, heading).map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));

describe('## Only where they are used', () => {
  it('lists exactly the optional peers that package.json names', () => {
    const listed = rowsBelow('## Only where they are used').map(([, name, version]) => [name, version]);
    expect(listed).toEqual(Object.entries(packageJson.peerDependencies));
    expect(Object.keys(packageJson.peerDependenciesMeta)).toEqual(Object.keys(packageJson.peerDependencies));
  });
});

describe.each([
  ['## At run time', packageJson.dependencies],
  ['## While building and testing', packageJson.devDependencies],
])('%s', (heading, dependencies) => {
  it('lists exactly what package.json asks for', () => {
    const listed = rowsBelow(heading).map(([, name, version]) => [name, version]);
    expect(listed).toEqual(Object.entries(dependencies).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

  it('gives a reason for each', () => {
    expect(rowsBelow(heading).filter(([, , , reason]) => (reason ?? '').length < 20)).toEqual([]);
  });

  it('is pinned to exact versions', () => {
    expect(Object.values(dependencies).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

describe.each(['.nvmrc', '.node-version'])('%s', (file) => {
  it('names the Node.js that npm ci installs', () => {
    expect(readDocument(file)).toBe(`${packageJson.devDependencies.node}\n`);
  });
});
