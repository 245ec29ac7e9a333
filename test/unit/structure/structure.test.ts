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
  it('is there', () => expect(sources.map(({ path }) => path)).toContain('src/errors.ts'));

  it('imports in one direction, and only types from the stages before', () => {
    expect(sources.flatMap(wrongWayImports)).toEqual([]);
  });

  it('has no circle of imports', () => expect(importCircle(sources)).toBeUndefined());

  it('has no circle of types between its files', () => expect(importCircle(sources, false)).toBeUndefined());

  it('knows fastify in http/ and app.ts only', () => {
    const importers = sources.filter(({ imports }) => imports.some(({ specifier }) => isFastify(specifier)));
    expect(importers.map(({ path }) => path).filter((path) => !mayImportFastify(path))).toEqual([]);
  });

  it('touches the process in main.ts only', () => {
    const touching = sources.filter(
      ({ freeNames, imports }) =>
        freeNames.has('process') || imports.some(({ specifier }) => /^(node:)?process$/.test(specifier)),
    );
    expect(touching.map(({ path }) => path).filter((path) => path !== 'src/main.ts')).toEqual([]);
  });

  it('imports only what it names in plain text', () => {
    const computed = sources.filter(({ imports }) => imports.some(({ specifier }) => specifier === '(computed)'));
    expect(computed.map(({ path }) => path)).toEqual([]);
  });

  it('makes each proof (principal, grant, guest token, key of a reusable token) in one file', () => {
    const brands = sources.flatMap((source) => source.brands);
    const makers = brands.map((brand) => [
      brand,
      sources.filter(({ casts }) => casts.includes(brand)).map(({ path }) => path),
    ]);
    expect(Object.fromEntries(makers)).toEqual({
      Principal: ['src/authn/authenticator.ts', unverified],
      Grant: ['src/policy/decide.ts'],
      GuestToken: ['src/guest-token/issue.ts'],
      ReuseKey: ['src/guest-token/reuse-key.ts'],
    });
  });

  it('lets only trials make an unverified principal, and only commands, the playground and the tests of a policy make trials', () => {
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

  it('has one class of errors for refusals, one for misconfiguration and one for load problems', () => {
    const classes = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/\bclass (\w+)(?:<[^>]*>)? extends \w*Error\b/g)].map(([, name]) => [name, path]),
    );
    expect(Object.fromEntries(classes)).toEqual({
      ServiceError: 'src/errors.ts',
      ConfigurationError: 'src/problem.ts',
      LoadProblem: 'src/problem.ts',
    });
  });

  it('has no mutable state in modules', () => {
    expect(sources.flatMap(({ path, mutableState }) => mutableState.map((name) => `${path}: ${name}`))).toEqual([]);
  });
});

describe('every source file', () => {
  it.each(sources.map(({ path, text }) => [path, text]))('%s opens with what it answers for', (_path, text) => {
    const lines = text.split('\n').filter((line, index) => !(index === 0 && line.startsWith('#!')));
    const header = lines.slice(
      0,
      lines.findIndex((line) => !line.startsWith('//')),
    );
    expect(header.length).toBeGreaterThanOrEqual(1);
    expect(header.length).toBeLessThanOrEqual(6);
  });

  it.each(sources.map(({ path, text }) => [path, text.split('\n').length - 1] as const))(
    '%s has one idea, not %i lines of them',
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

describe('the reading of imports', () => {
  const wrongWay = (path: string, text: string) => wrongWayImports(parseSource(path, text));

  it('lets a stage name the types of the stage before it', () => {
    expect(wrongWay('src/policy/a.ts', "import type { Principal } from '../authn/principal.ts';")).toEqual([]);
    expect(wrongWay('src/policy/a.ts', "import { type Principal } from '../authn/principal.ts';")).toEqual([]);
    expect(wrongWay('src/policy/a.ts', "type P = import('../authn/principal.ts').Principal;")).toEqual([]);
  });

  it.each([
    ['code of the stage before', 'src/policy/a.ts', "import { type A, b } from '../authn/b.ts';"],
    ['code of the stage before, for its effects', 'src/policy/a.ts', "import '../authn/b.ts';"],
    ['code of the stage before, later', 'src/policy/a.ts', "const b = await import('../authn/b.ts');"],
    ['code of the stage before, passed on', 'src/policy/a.ts', "export { b } from '../authn/b.ts';"],
    ['types of the stage after', 'src/authn/a.ts', "import type { B } from '../policy/b.ts';"],
    ['a stage from the ground', 'src/errors.ts', "import type { B } from './authn/b.ts';"],
    ['the app from the edge', 'src/http/a.ts', "import { buildApp } from '../app.ts';"],
    ['tests from the source', 'src/http/a.ts', "import { b } from '../../test/b.ts';"],
    ['anything from a part that is not in the table', 'src/other/a.ts', 'export const a = 1;'],
  ])('refuses %s', (_title, path, text) => expect(wrongWay(path, text)).toHaveLength(1));

  it('sees a circle of two files', () => {
    const a = parseSource('src/http/a.ts', "import { b } from './b.ts';");
    const b = parseSource('src/http/b.ts', "import { a } from './a.ts';");
    expect(importCircle([a, b])).toEqual(['src/http/a.ts', 'src/http/b.ts', 'src/http/a.ts']);
    expect(importCircle([a, parseSource('src/http/b.ts', "import type { a } from './a.ts';")])).toBeUndefined();
  });

  it('distinguishes the process from a member with this name', () => {
    expect(parseSource('src/a.ts', 'const x = process.env;').freeNames.has('process')).toBe(true);
    expect(parseSource('src/a.ts', 'const { env } = process;').freeNames.has('process')).toBe(true);
    expect(parseSource('src/a.ts', 'const x = job.process;').freeNames.has('process')).toBe(false);
  });

  it('sees what is cast to what, and which types can only be cast to', () => {
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

  it('sees a variable of a module that can change', () => {
    expect(
      parseSource('src/a.ts', 'let n = 0; const m = 1; const f = () => { let k = 0; return k; };').mutableState,
    ).toEqual(['n']);
  });
});
