// Checks that the page about Databrain's API has the fields and error codes that the code knows.
import { describe, expect, it } from 'vitest';
import { codeFaults, type Fault } from '../../src/databrain/upstream-fault.ts';
import { paramFields, permissionFields, topFields } from '../../src/policy/upstream-request.ts';
import { readDocument, tableRowsBelow } from './settings-documents.ts';

const file = 'docs/databrain-api.md';
const page = readDocument(file);
const cellsBelow = (heading: string): readonly (readonly string[])[] =>
  tableRowsBelow(page, heading).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const namesIn = (cell = ''): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

describe(`the fields in ${file}`, () => {
  const rows = cellsBelow('## The call that creates a guest token');

  it('are the fields of the request, plus dataAppName and expiryTime, which a policy does not contain', () => {
    const known = [
      'dataAppName',
      'expiryTime',
      ...Object.keys(topFields),
      ...Object.keys(paramFields).map((name) => `params.${name}`),
      ...Object.keys(permissionFields).map((name) => `permissions.${name}`),
    ];
    const fix = `add or remove rows of the first table of ${file}, one for each field of src/policy/upstream-request.ts`;
    expect(rows.flatMap(([name]) => namesIn(name)).toSorted(), fix).toEqual(known.toSorted());
  });

  it('all have a type and a meaning', () => {
    const fix = `complete the row of the field in ${file}`;
    expect(
      rows.filter((cells) => cells.length !== 3 || cells.includes('')),
      fix,
    ).toEqual([]);
  });
});

describe(`the error codes in ${file}`, () => {
  const rows = cellsBelow('## Errors').flatMap(([codes, , cause]) => namesIn(codes).map((code) => ({ code, cause })));
  const causes: Readonly<Partial<Record<Fault, string>>> = {
    key_refused: 'the API key',
    request_refused: 'the policy',
    rate_limited: 'load',
    failed: 'Databrain',
  };
  const faults = new Map<string, Fault>(Object.entries(codeFaults));

  it.each(rows)('$code has the cause by which the client classifies it', ({ code, cause }) => {
    const fault = faults.get(code);
    const fix = `correct the row in ${file}, or codeFaults in src/databrain/upstream-fault.ts`;
    expect(cause, fix).toBe(fault === undefined ? undefined : causes[fault]);
  });

  it('are all codes that the client knows; other spellings are below the table', () => {
    const listed = new Set(rows.map(({ code }) => code));
    const [, differences = ''] = page.split('\n## Where it differs from its documentation\n');
    const missing = [...faults.keys()].filter((code) => !listed.has(code) && !differences.includes(`\`${code}\``));
    expect(missing, `name the code in ${file}; src/databrain/upstream-fault.ts has it`).toEqual([]);
  });
});
