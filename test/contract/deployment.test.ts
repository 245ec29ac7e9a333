// Checks that every way of installing the program installs the files that it reads.
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { readDocument } from './settings-documents.ts';

const shipped = [
  ...new Set(
    [...readDocument('src/shipped-files.ts').matchAll(/'\.\.\/([\w./-]+)'/g)].map(([, path = '']) =>
      path.replace(/^(dist\/\w+)\/.*/, '$1'),
    ),
  ),
];

describe('the files that the program reads at run time', () => {
  it('are listed completely', () => {
    expect(shipped).toContain('openapi.yaml');
    expect(shipped).toContain('guest-token.js');
  });

  it.each([
    ['the image (Dockerfile)', /cp -r (dist .*) \/app\//.exec(readDocument('Dockerfile'))?.[1]],
    [
      'the systemd recipe of docs/deployment.md',
      /cp -r (dist .*) \/opt\//.exec(readDocument('docs/deployment.md'))?.[1],
    ],
    ['the npm package (files of package.json)', packageJson.files.join(' ')],
  ])('are installed by %s', (_way, copied = '') => {
    const there = copied.split(' ');
    const isThere = (path: string): boolean => there.some((one) => path === one || path.startsWith(`${one}/`));
    expect(shipped.filter((path) => !isThere(path))).toEqual([]);
  });
});
