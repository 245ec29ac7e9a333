// Libraries that most deployments do not need are loaded only if they are used: the source uses `import()` or their
// types, never an import that runs at the start.
import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { readSources } from './source-file.ts';

const optional = [
  ...Object.keys(packageJson.peerDependencies),
  ...Object.keys(packageJson.dependencies).filter((name) => name.startsWith('@opentelemetry/')),
  'ioredis',
  'pino-pretty',
];

const sources = readSources();

describe.each(optional)('%s', (name) => {
  const users = sources.filter(({ text }) => text.includes(`'${name}'`));

  it('is loaded with import()', () => {
    expect(users.map(({ text }) => text.includes(`import('${name}')`))).toContain(true);
  });

  it('is loaded only when it is needed', () => {
    const early = users.filter(({ text }) =>
      new RegExp(`^(import|export) (?!type )[^;]*from '${name}'`, 'm').test(text),
    );
    expect(early.map(({ path }) => path)).toEqual([]);
  });
});
