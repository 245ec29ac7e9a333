// Compares .env.example and docs/operating/settings.md with src/config/settings.ts: names, order, defaults,
// descriptions.
import { describe, expect, it } from 'vitest';
import { namedApiKey, settingTable, type Setting } from '../../src/config/settings.ts';
import { secretStoreKinds, settingOf } from '../../src/secrets/secret-sources.ts';
import { readSources } from '../unit/structure/source-file.ts';
import { parseEnvExample, readDocument } from './settings-documents.ts';

const table: readonly Setting[] = settingTable;
const example = parseEnvExample(readDocument('.env.example'));
const isNamedKey = (name: string): boolean => namedApiKey.test(settingOf(name));
const storeVariables = secretStoreKinds.map(({ suffix }) => `DATABRAIN_API_KEY${suffix}`);

describe('.env.example', () => {
  it('has every setting once in the order of the table, and no other', () => {
    const expected = table.flatMap(({ name, fromFile }) => (fromFile ? [name, `${name}_FILE`] : [name]));
    const names = example.map(({ name }) => name);
    expect(
      names.filter((name) => !isNamedKey(name) && !storeVariables.includes(name)),
      '.env.example differs from src/config/settings.ts: add or remove the lines by hand',
    ).toEqual(expected);
  });

  it('has the variables of the stores for one secret', () => {
    expect(example.map(({ name }) => name).filter((name) => storeVariables.includes(name))).toEqual(storeVariables);
  });

  it('has the name of a further API key', () => {
    expect(example.some(({ name }) => isNamedKey(name))).toBe(true);
  });

  it.each(table.map((setting) => [setting.name, setting] as const))(
    'has the default and the description of %s',
    (name, setting) => {
      const entry = example.find((candidate) => candidate.name === name);
      const fix = `${name} in .env.example differs from src/config/settings.ts. Add it, then run: npm run schema`;
      expect(entry?.value, fix).toBe(setting.default ?? '');
      const absent = setting.required ? 'required' : setting.absent;
      expect(entry?.comment, fix).toBe(
        absent === undefined ? setting.description : `${setting.description}; ${absent}`,
      );
    },
  );

  it('has only default values, so that a copy changes nothing', () => {
    const defaults = new Map(table.map((setting) => [setting.name, setting.default ?? '']));
    expect(example.filter(({ name, value }) => value !== (defaults.get(name) ?? ''))).toEqual([]);
  });
});

describe('src', () => {
  const sources = readSources().filter(({ path }) => path !== 'src/config/settings.ts');

  it.each(table.map(({ name }) => name))('reads %s', (name) => {
    const isRead = sources.some(({ text }) => text.includes(`'${name}'`));
    expect(isRead, `no file of src/ reads ${name}: read it in src/config/read-settings.ts`).toBe(true);
  });
});

describe('docs/operating/settings.md', () => {
  const rows = readDocument('docs/operating/settings.md')
    .split('\n')
    .map((line) => /^\| `([A-Z0-9_]+)` \| (.*) \| (.*) \|$/.exec(line.replace(/ +/g, ' ')))
    .flatMap((match) => (match === null ? [] : [{ name: match[1], description: match[2], danger: match[3] ?? '' }]));

  it('has every setting once in the order of the table, with its description', () => {
    const fix =
      'docs/operating/settings.md differs from src/config/settings.ts: add a row with the danger, or remove it; then run: npm run schema';
    expect(
      rows.map(({ name, description }) => ({ name, description })),
      fix,
    ).toEqual(table.map(({ name, description }) => ({ name, description })));
  });

  it('describes the effect of a wrong value for every setting', () => {
    for (const { name, danger } of rows) expect(danger, name).toMatch(/^.{15,}\.$/);
  });
});
