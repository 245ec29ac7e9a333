// docs/frontend.md: every example is short, passes the type check with the helper's types, and uses existing names. The
// app and the frameworks of the examples are declared below; React's types are the real ones.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBrowserHelper } from '../../src/shipped-files.ts';
import { readDocument } from './settings-documents.ts';

const page = readDocument('docs/frontend.md');
const root = new URL('../../', import.meta.url).pathname;

/** Declarations of code that the examples use. */
const surroundings = `
declare function getAccessToken(fresh: boolean): Promise<string>;
declare const script: string;
declare const tokens: import('guest-token-proxy/browser').GuestTokens;
declare const createGuestTokens: (typeof import('guest-token-proxy/browser'))['createGuestTokens'];
declare const mounted: import('guest-token-proxy/browser').Mounted;
declare function defineProps<T>(): T;
declare function $props<T>(): T;
declare module '@angular/core' {
  export class ElementRef<T> { nativeElement: T }
  export function Directive(metadata: { selector: string }): (directive: new () => unknown, context: ClassDecoratorContext) => void;
  export function inject<T>(token: new () => T): T;
  export function effect(run: (onCleanup: (cleanup: () => void) => void) => void): unknown;
  export const input: { required<T>(): () => T };
}
declare module 'https://tokens.example.com/guest-token.js' { export * from 'guest-token-proxy/browser'; }
`;

interface Example {
  readonly title: string;
  readonly language: string;
  readonly code: string;
}

const examples: readonly Example[] = page.split(/^## /m).flatMap((section) =>
  [...section.matchAll(/^\`\`\`(\w+)\n(.*?)^\`\`\`/gms)].map(([, language = '', code = ''], index) => ({
    title: `${section.split('\n', 1)[0] ?? ''} ${index + 1}`,
    language,
    code,
  })),
);

/** The code of an example, without the template around it. */
function scriptOf({ language, code }: Example): string {
  if (language === 'ts' || language === 'tsx') return code;
  return [...code.matchAll(/<script[^>]*>\n?(.*?)<\/script>/gs)].map(([, script = '']) => script).join('\n');
}

/** The compiler's errors for each example; they are modules of one program. */
function problemsOf(codes: readonly Example[], isTypeScript: boolean): readonly (readonly string[])[] {
  const names = codes.map(({ language }, index) => `example-${index}.${language === 'tsx' ? 'tsx' : 'ts'}`);
  const compilerOptions = {
    strict: true,
    // Plain JavaScript in a page does not assert that an element exists.
    strictNullChecks: isTypeScript,
    noEmit: true,
    target: 'es2024',
    lib: ['es2024', 'dom', 'dom.iterable'],
    module: 'esnext',
    moduleResolution: 'bundler',
    allowImportingTsExtensions: true,
    jsx: 'react-jsx',
    skipLibCheck: true,
    types: [],
    paths: { 'guest-token-proxy/browser': [join(root, 'src/browser/index.ts')] },
  };
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-frontend-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const [index, code] of codes.map(scriptOf).entries())
      writeFileSync(join(folder, names[index] ?? ''), `${code}\nexport {};`);
    writeFileSync(join(folder, 'surroundings.d.ts'), surroundings);
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: [...names, 'surroundings.d.ts'] }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      encoding: 'utf8',
    });
    // The helper itself is checked by `npm run typecheck`, and only with strict checks for null.
    const lines = stdout.split('\n').filter((line) => line.includes('error TS') && !line.includes('/src/browser/'));
    const problems = names.map((name) => lines.filter((line) => line.startsWith(`${name}(`)));
    expect(lines).toEqual(problems.flat());
    return problems;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the examples for frontends', () => {
  it('exist for each framework', () => {
    for (const heading of ['Plain JavaScript or HTML', 'React', 'Vue', 'Svelte', 'Angular'])
      expect(page).toContain(`\n## ${heading}\n`);
    expect(examples.length).toBeGreaterThanOrEqual(7);
  });

  it.each(examples.map((example) => [example.title, example] as const))(
    '%s: has at most 20 lines',
    (_title, { code }) => {
      expect(code.trim().split('\n').length).toBeLessThanOrEqual(20);
    },
  );

  describe.each([
    ['TypeScript', true],
    ['plain JavaScript', false],
  ])('in %s', { timeout: 60_000 }, (_title, isTypeScript) => {
    const chosen = examples.filter(({ language }) => (language !== 'html') === isTypeScript);

    it('pass the type check', () => {
      const problems = problemsOf(chosen, isTypeScript);
      expect(chosen.flatMap(({ title }, at) => (problems[at] ?? []).map((text) => `${title}: ${text}`))).toEqual([]);
    });

    it('do not pass the type check after a wrong change', () => {
      const wrong = chosen
        .map((example) => ({
          ...example,
          code: example.code.replace('createGuestTokens({ url', 'createGuestTokens({ uri'),
        }))
        .filter(({ code }) => code.includes('uri'));
      expect(wrong.length).toBeGreaterThanOrEqual(isTypeScript ? 5 : 1);
      expect(problemsOf(wrong, isTypeScript).filter((problems) => problems.length === 0)).toEqual([]);
    });
  });
});

describe('the tables of the page', () => {
  it('name every existing option and code', () => {
    for (const name of [
      'url',
      'getAccessToken',
      'dataApp',
      'fetch',
      'signal',
      'onIdle',
      'script',
      'onReady',
      'onRenewed',
      'onError',
    ])
      expect(page).toMatch(new RegExp(`\\| \`[^|]*${name}`));
    const codes = [...readBrowserHelper().matchAll(/["`]([A-Z]+(?:_[A-Z]+)+)["`]/g)].map(([, code = '']) => code);
    for (const code of codes.filter((one) => one !== 'TOKEN_EXPIRED')) expect(page).toContain(code);
    expect(codes).toContain('COMPONENT_IN_USE');
  });
});
