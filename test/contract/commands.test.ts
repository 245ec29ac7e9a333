// Checks that --help describes all options of the commands, and that the README lists all commands.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readDocument, tableRowsBelow } from './settings-documents.ts';

const folder = new URL('../../src/commands/', import.meta.url);
const commands = readdirSync(folder).flatMap((file) => {
  const text = readDocument(`src/commands/${file}`);
  const [, name] = /^ {2}name: '([a-z-]+)',$/m.exec(text) ?? [];
  const [, help] = /^ {2}help: `(.*?)`,$/ms.exec(text) ?? [];
  return name === undefined || help === undefined ? [] : [{ name, file, text, help }];
});

describe('the commands', () => {
  it('equal the rows of the table in README.md', () => {
    const rows = tableRowsBelow(readDocument('README.md'), '## Commands').map(
      (row) => /^\| `([a-z-]+)` \|/.exec(row)?.[1],
    );
    expect(rows.toSorted()).toEqual(commands.map(({ name }) => name).toSorted());
  });

  it.each(commands)(
    '$name describes in --help exactly the options that src/commands/$file accepts',
    ({ file, text, help }) => {
      const accepted = [...text.matchAll(/(?:^ {6}|[{,] )'?([a-z-]+)'?: \{ type: '/gm)].map(
        ([, option]) => `--${option}`,
      );
      const explained = [...help.matchAll(/(?<![\w-])--[a-z]+(?:-[a-z]+)*/g)].map(([option]) => option);
      const fix = `correct help in src/commands/${file}, or the options in run`;
      expect([...new Set(explained)].toSorted(), fix).toEqual(accepted.toSorted());
    },
  );
});
