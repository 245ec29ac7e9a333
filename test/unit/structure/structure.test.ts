// Checks the source against the architecture: direction of imports, one file that uses the process, form of files.
import { describe, expect, it } from 'vitest';
import { importCircle, wrongWayImports } from './import-direction.ts';
import { importedPath, parseSource, readSources } from './source-file.ts';

const sources = readSources();

const maxLines = 300;

const unverified = 'src/policy/trial/unverified-principal.ts';
const isTrial = (path: string): boolean => path.startsWith('src/policy/trial/');

const isFastify = (specifier: string): boolean => specifier === 'fastify' || specifier.startsWith('@fastify/');
const mayImportFastify = (path: string): boolean => path === 'src/app.ts' || path.startsWith('src/http/');

describe('the source', () => {
  it('is found', () => expect(sources.map(({ path }) => path)).toContain('src/errors.ts'));

  it('imports in one direction, and only types from earlier stages', () => {
    expect(sources.flatMap(wrongWayImports)).toEqual([]);
  });

  it('has no circular imports', () => expect(importCircle(sources)).toBeUndefined());

  it('has no circular type imports between files', () => expect(importCircle(sources, false)).toBeUndefined());

  it('uses fastify only in http/ and app.ts', () => {
    const importers = sources.filter(({ imports }) => imports.some(({ specifier }) => isFastify(specifier)));
    expect(importers.map(({ path }) => path).filter((path) => !mayImportFastify(path))).toEqual([]);
  });

  it('uses process only in main.ts', () => {
    const touching = sources.filter(
      ({ freeNames, imports }) =>
        freeNames.has('process') || imports.some(({ specifier }) => /^(node:)?process$/.test(specifier)),
    );
    expect(touching.map(({ path }) => path).filter((path) => path !== 'src/main.ts')).toEqual([]);
  });

  it('imports only modules that are named by a plain string', () => {
    const computed = sources.filter(({ imports }) => imports.some(({ specifier }) => specifier === '(computed)'));
    expect(computed.map(({ path }) => path)).toEqual([]);
  });

  it('creates each proof (principal, grant, guest token, key of a reusable token) in one file', () => {
    const brands = sources.flatMap((source) => source.brands);
    const creators = brands.map((brand) => [
      brand,
      sources.filter(({ casts }) => casts.includes(brand)).map(({ path }) => path),
    ]);
    expect(Object.fromEntries(creators)).toEqual({
      Principal: ['src/authn/authenticator.ts', unverified],
      Grant: ['src/policy/decide.ts'],
      GuestToken: ['src/guest-token/issue.ts'],
      ReuseKey: ['src/guest-token/reusable-token.ts'],
    });
  });

  it('creates unverified principals only in trials, which only commands, the playground and policy tests use', () => {
    const importersOf = (wanted: (path: string) => boolean): readonly string[] =>
      sources
        .filter(({ path, imports }) =>
          imports.some(
            ({ specifier, typeOnly }) => !typeOnly && wanted(importedPath(path, specifier) ?? '') && !wanted(path),
          ),
        )
        .map(({ path }) => path);
    expect(importersOf((path) => path === unverified).filter((path) => !isTrial(path))).toEqual([]);
    const outside = importersOf(isTrial).filter((path) => !path.startsWith('src/commands/'));
    // The page imports the presets from there.
    expect(outside).toEqual([
      'src/config/load-configuration.ts',
      'src/playground/evaluator.ts',
      'src/playground/page/page.ts',
      'src/reload/policies.ts',
    ]);
  });

  it('has one error class for refusals, one for misconfiguration and one for load problems', () => {
    const classes = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/\bclass (\w+)(?:<[^>]*>)? extends \w*Error\b/g)].map(([, name]) => [name, path]),
    );
    expect(Object.fromEntries(classes)).toEqual({
      ServiceError: 'src/errors.ts',
      ConfigurationError: 'src/problem.ts',
      LoadProblem: 'src/problem.ts',
    });
  });

  it('reads secrets only where they are sent, verified with, derived from or checked', () => {
    const readers = sources.filter(({ text }) => /\.reveal\b/.test(text)).map(({ path }) => path);
    expect(readers).toEqual([
      // Loads keys of issuers, and compares them.
      'src/authn/issuer.ts',
      'src/authn/keys/verification-keys.ts',
      // `check --live` asks Databrain; `dev-token` signs.
      'src/commands/dev-token.ts',
      'src/commands/embeds-listing.ts',
      // Checks their form at the start.
      'src/config/read-issuers.ts',
      'src/config/read-settings.ts',
      'src/config/read-tracing.ts',
      'src/config/setting-reader.ts',
      // Sends the API key.
      'src/databrain/exchange.ts',
      // Sends the password of the proxy.
      'src/egress/egress.ts',
      'src/egress/tunnel.ts',
      // Derives keys from the API key, and sends the passwords of Redis.
      'src/redis/key-derivation.ts',
      'src/redis/redis-client.ts',
      // Sends the login and token of Vault, and checks a changed secret.
      'src/secrets/vault/vault-request.ts',
      'src/secrets/watched-secret.ts',
      // Sends the headers of the collector.
      'src/telemetry/tracing.ts',
    ]);
  });

  it('has no mutable state in modules', () => {
    expect(sources.flatMap(({ path, mutableState }) => mutableState.map((name) => `${path}: ${name}`))).toEqual([]);
  });
});

describe('every source file', () => {
  it.each(sources.map(({ path, text }) => [path, text]))(
    '%s starts with a comment about its responsibility',
    (_path, text) => {
      const lines = text.split('\n').filter((line, index) => !(index === 0 && line.startsWith('#!')));
      const header = lines.slice(
        0,
        lines.findIndex((line) => !line.startsWith('//')),
      );
      expect(header.length).toBeGreaterThanOrEqual(1);
      expect(header.length).toBeLessThanOrEqual(6);
    },
  );

  it.each(sources.map(({ path, text }) => [path, text.split('\n').length - 1] as const))(
    '%s has at most 300 lines, not %i',
    (_path, lines) => {
      expect(lines).toBeLessThanOrEqual(maxLines);
    },
  );

  it('is named after its main export, in kebab-case', () => {
    const names = sources.flatMap(({ path }) => path.slice('src/'.length, -'.ts'.length).split('/'));
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?$/.test(name))).toEqual([]);
    expect(names.filter((name) => /^(utils?|helpers?|common|types|misc|shared)$/.test(name))).toEqual([]);
  });
});

describe('the check of imports', () => {
  const wrongWay = (path: string, text: string) => wrongWayImports(parseSource(path, text));

  it('allows a stage to use types of the stage before it', () => {
    expect(wrongWay('src/policy/a.ts', "import type { Principal } from '../authn/principal.ts';")).toEqual([]);
    expect(wrongWay('src/policy/a.ts', "import { type Principal } from '../authn/principal.ts';")).toEqual([]);
    expect(wrongWay('src/policy/a.ts', "type P = import('../authn/principal.ts').Principal;")).toEqual([]);
  });

  it.each([
    ['code of an earlier stage', 'src/policy/a.ts', "import { type A, b } from '../authn/b.ts';"],
    ['code of an earlier stage, for its effects', 'src/policy/a.ts', "import '../authn/b.ts';"],
    ['code of an earlier stage, at run time', 'src/policy/a.ts', "const b = await import('../authn/b.ts');"],
    ['code of an earlier stage, re-exported', 'src/policy/a.ts', "export { b } from '../authn/b.ts';"],
    ['types of a later stage', 'src/authn/a.ts', "import type { B } from '../policy/b.ts';"],
    ['a stage in a basic file', 'src/errors.ts', "import type { B } from './authn/b.ts';"],
    ['the app in http/', 'src/http/a.ts', "import { buildApp } from '../app.ts';"],
    ['tests in the source', 'src/http/a.ts', "import { b } from '../../test/b.ts';"],
    ['anything in a folder that is not in the table', 'src/other/a.ts', 'export const a = 1;'],
  ])('refuses %s', (_title, path, text) => expect(wrongWay(path, text)).toHaveLength(1));

  it('finds a circle of two files', () => {
    const a = parseSource('src/http/a.ts', "import { b } from './b.ts';");
    const b = parseSource('src/http/b.ts', "import { a } from './a.ts';");
    expect(importCircle([a, b])).toEqual(['src/http/a.ts', 'src/http/b.ts', 'src/http/a.ts']);
    expect(importCircle([a, parseSource('src/http/b.ts', "import type { a } from './a.ts';")])).toBeUndefined();
  });

  it('distinguishes process from a member with this name', () => {
    expect(parseSource('src/a.ts', 'const x = process.env;').freeNames.has('process')).toBe(true);
    expect(parseSource('src/a.ts', 'const { env } = process;').freeNames.has('process')).toBe(true);
    expect(parseSource('src/a.ts', 'const x = job.process;').freeNames.has('process')).toBe(false);
  });

  it('finds casts, and types whose values can only be created by a cast', () => {
    const file = parseSource(
      'src/a.ts',
      `declare const proof: unique symbol;
export interface Proven { readonly [proof]: true }
export type Key = string & { readonly [proof]: true };
export interface Plain { readonly proof: true }
const a = {} as unknown as Proven; const b = [1] as const; const c = { k: '' as Key };`,
    );
    expect(file.brands).toEqual(['Proven', 'Key']);
    expect(file.casts).toEqual(['Proven', 'Key']);
  });

  it('finds module variables that can change', () => {
    expect(
      parseSource('src/a.ts', 'let n = 0; const m = 1; const f = () => { let k = 0; return k; };').mutableState,
    ).toEqual(['n']);
    expect(parseSource('src/a.ts', 'export var { n } = f();').mutableState).toEqual(['{ n }']);
  });

  it.each([
    ['a collection', 'const known = new WeakMap<object, string>();', ['known']],
    ['a collection with values', "export const names = new Set(['a']);", ['names']],
    ['a list', 'const waiting = [];', ['waiting']],
    ['a list with a type', 'const waiting: string[] = [];', ['waiting']],
    ['a collection with a readonly type', "const names: ReadonlySet<string> = new Set(['a']);", []],
    ['a list with a readonly type', "const names: readonly string[] = ['a'];", []],
    ['a constant list', "const names = ['a'] as const;", []],
    ['a collection in a function', 'const create = () => { const known = new Map(); return known; };', []],
  ])('knows whether %s of a module can change', (_title, text, names) => {
    expect(parseSource('src/a.ts', text).mutableState).toEqual(names);
  });
});
