// Checks that the names in all pages exist: settings, metrics, options of commands; and that the issuers file loads.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadIssuersFile } from '../../src/authn/issuers-file.ts';
import { namedApiKey, ownPrefixes, settingTable } from '../../src/config/settings.ts';
import { errorCodes } from '../../src/errors.ts';
import { settingOf } from '../../src/secrets/secret-sources.ts';
import { metricTable } from '../../src/telemetry/metric-table.ts';
import { readDocument } from './settings-documents.ts';

const root = new URL('../../', import.meta.url);
const pages = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md'],
  ...readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((path) => [path, readDocument(path)] as const);

const settingNames = new Set<string>(settingTable.map(({ name }) => name));
/** Names in the form of a setting: our error codes, one of Databrain's, a variable of docker-compose.yml. */
const others = new Set<string>([...errorCodes, 'RATE_LIMIT_EXCEEDED', 'REDIS_IMAGE']);
const isSetting = (name: string): boolean =>
  [name, settingOf(name), name.replace(/_FILE$/, '')].some((one) => settingNames.has(one) || namedApiKey.test(one));
const prefixes = [...ownPrefixes, 'REDIS_', 'TRUST_', 'KEEP_ALIVE_', 'BASE_', 'LOG_'];
const metricNames = new Set<string>(Object.values(metricTable).map(({ name }) => name));

describe.each(pages)('%s', (_path, text) => {
  it('names only existing settings', () => {
    const named = [...text.matchAll(/(?<![\w$.{/-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w*-])/g)].map(([name]) => name);
    const ours = named.filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
    expect(ours.filter((name) => !isSetting(name) && !others.has(name))).toEqual([]);
  });

  it('has no setting with a comment after its value, because an env file would keep the comment', () => {
    expect(text.match(/^[A-Z][A-Z0-9_]*=\S*[ \t]+#.*$/gm) ?? []).toEqual([]);
  });

  it('names only existing metrics', () => {
    const named = [...text.matchAll(/\bguest_token_\w+/g)].map(([name]) => name.replace(/_(?:bucket|sum|count)$/, ''));
    expect(named.filter((name) => !metricNames.has(name))).toEqual([]);
  });

  it('has only commands with existing options', () => {
    const lines = text
      .replaceAll('\\\n', ' ')
      .matchAll(/guest-token-proxy (check|explain|test|diff|dev-token) ([^\n`|]*)/g);
    const wrong = [...lines].flatMap(([, command, words = '']) => {
      const source = readDocument(`src/commands/${command}.ts`);
      const options = [...(words.split(/ [#|>] ?/)[0] ?? '').matchAll(/(?<=^| )--([a-z-]+)/g)].map(
        ([, option = '']) => option,
      );
      return options.filter((option) => option !== 'help' && !new RegExp(`'?${option}'?: \\{ type: '`).test(source));
    });
    expect(wrong).toEqual([]);
  });
});

describe('the issuers file of docs/authentication.md', () => {
  it('loads', () => {
    const [, text = ''] = /^```yaml\n(- issuer: .*?)^```/ms.exec(readDocument('docs/authentication.md')) ?? [];
    const secret = Buffer.from('b7f9c1d25b1e4c389a426d0f3e7a1c55').toString('base64');
    const loaded = loadIssuersFile(text, 'issuers.yaml', {
      clockToleranceSeconds: 30,
      allowMissingIssuer: false,
      allowMissingAudience: false,
      allowHttp: false,
      readFile: () => Buffer.from(secret),
    });
    expect(loaded).toMatchObject({ issuers: { length: 4 } });
  });
});
