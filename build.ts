// Bundles what ships: the service into dist/main.js and dist/main/ (no node_modules needed to run it) beside the licenses of
// the packages in it, the browser helper into guest-token.js, which the service hands out, and into dist/browser/ for other
// people's bundlers.
import { build, type BuildOptions } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { rolldown } from 'rolldown';
import packageJson from './package.json' with { type: 'json' };
import { compiledValidators } from './scripts/compiled-validators.ts';
import { leftOutOfTheBundle } from './scripts/left-out-of-the-bundle.ts';
import { namedExports } from './scripts/named-exports.ts';
import { requiredBuiltins } from './scripts/required-builtins.ts';

/**
 * Bundles the program into `outfile`, which must lie in a folder beside openapi.yaml's, such as dist/, and what it loads
 * only when it needs it into a folder of the same name. Gives the folders of the packages that are in it.
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
    // Installed beside the program by those who use them.
    external: Object.keys(packageJson.peerDependencies),
    banner: {
      // CommonJS dependencies inside an ES module bundle still ask for require.
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(folders)].sort();
}

/** The licenses of bundled packages, which ask to be passed on with the code. Throws for a package without one. */
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

/** The page of the policy playground, whole: no request leaves the admin listener. */
export async function buildPlayground(outdir: string): Promise<void> {
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ['src/playground/page/page.ts'],
    outdir,
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
    minify: true,
  });
  const page = (name: string): URL => new URL(`src/playground/page/${name}`, import.meta.url);
  copyFileSync(page('index.html'), `${outdir}/index.html`);
  const styles = ['theme.css', 'page.css'].map((name) => readFileSync(page(name), 'utf8'));
  writeFileSync(`${outdir}/page.css`, styles.join('\n'));
}

const browserOptions = {
  entryPoints: ['src/browser/index.ts'],
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
} as const satisfies BuildOptions;

/**
 * The browser helper as one small module; guest-token.js holds what this gives. By Rolldown, whose short names repeat
 * more often: with them the module is 3 % smaller once it is compressed.
 */
export async function buildBrowserHelper(): Promise<string> {
  const bundle = await rolldown({ input: 'src/browser/index.ts', cwd: import.meta.dirname });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  return output[0].code;
}

/** Readable, with types and a source map: what `guest-token-proxy/browser` gives to a bundler. */
async function buildBrowserPackage(outdir: string): Promise<void> {
  await build({ ...browserOptions, sourcemap: true, outdir });
  const options = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', outdir];
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'src/browser', ...options]);
}

if (import.meta.main) {
  mkdirSync('dist', { recursive: true });
  // Where dist/ is copied without the package around it, as in the image, Node would read the bundle twice to find out
  // what it is, and keep both texts: 22 MiB.
  writeFileSync('dist/package.json', '{ "type": "module" }\n');
  writeFileSync('dist/licenses.txt', licensesOf(await buildProgram('dist/main.js')));
  await buildPlayground('dist/playground');
  writeFileSync('guest-token.js', await buildBrowserHelper());
  await buildBrowserPackage('dist/browser');
}
