// Builds the shipped files: the service in dist/main.js and dist/main/ (which needs no node_modules), with the licenses of
// the bundled packages; the browser helper in guest-token.js, which the service serves, and in dist/browser/ for bundlers of
// other apps.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import packageJson from './package.json' with { type: 'json' };
import { buildBrowserHelper } from './scripts/build-browser-helper.ts';
import { buildPlayground, forBrowsers } from './scripts/build-playground.ts';
import { compiledValidators } from './scripts/compiled-validators.ts';
import { leftOutOfTheBundle } from './scripts/left-out-of-the-bundle.ts';
import { namedExports } from './scripts/named-exports.ts';
import { requiredBuiltins } from './scripts/required-builtins.ts';

/**
 * Bundles the program into `outfile`, which must be one folder below openapi.yaml, such as in dist/. Parts that are loaded
 * on demand go into a folder of the same name. Returns the folders of the bundled packages.
 */
export async function buildProgram(outfile: string): Promise<readonly string[]> {
  const { dir, name } = parse(outfile);
  rmSync(join(dir, name), { recursive: true, force: true });
  const { metafile } = await build({
    metafile: true,
    entryPoints: [{ in: 'src/main.ts', out: name }],
    outdir: dir,
    chunkNames: `${name}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    legalComments: 'none',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    plugins: [compiledValidators, leftOutOfTheBundle, namedExports, requiredBuiltins],
    // Optional: operators install them next to the program if they need them.
    external: Object.keys(packageJson.peerDependencies),
    banner: {
      // CommonJS dependencies inside an ES module bundle still use require.
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(folders)].sort();
}

/** The licenses of bundled packages, which must be shipped with the code. Throws for a package without one. */
function licensesOf(folders: readonly string[]): string {
  const sections = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Record<
      string,
      string
    >;
    const file = readdirSync(folder).find((one) => /^(?:licen[cs]e|copying)/i.test(one));
    if (license === undefined) throw new Error(`${folder} names no license`);
    const text = file === undefined ? '' : readFileSync(`${folder}/${file}`, 'utf8');
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return [...new Set(sections)].join(`\n${'-'.repeat(80)}\n\n`);
}

/** Readable, with types and a source map: the module `guest-token-proxy/browser` for bundlers. */
async function buildBrowserPackage(outdir: string): Promise<void> {
  await build({ ...forBrowsers, entryPoints: ['src/browser/index.ts'], sourcemap: true, outdir });
  const options = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', outdir];
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'src/browser', ...options]);
}

if (import.meta.main) {
  mkdirSync('dist', { recursive: true });
  // Without a package.json next to it, as in the image, Node would read the bundle twice to find its module type and keep
  // both texts, which takes 22 MiB.
  writeFileSync('dist/package.json', '{ "type": "module" }\n');
  writeFileSync('dist/licenses.txt', licensesOf(await buildProgram('dist/main.js')));
  await buildPlayground('dist/playground');
  writeFileSync('guest-token.js', await buildBrowserHelper());
  await buildBrowserPackage('dist/browser');
}
