// Checks that docs/dependencies.md lists every dependency with its exact version and a reason, and no others, and that
// version managers get the same Node.js.
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

describe.each(['.nvmrc', '.node-version'])('%s', (file) => {
  it('has the Node.js version that npm ci installs', () => {
    expect(readDocument(file)).toBe(`${packageJson.devDependencies.node}\n`);
  });
});
