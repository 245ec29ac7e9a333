// Builds the policy playground's page, which the admin listener serves from dist/playground/.
import { build, stop as stopBundler, type BuildOptions } from 'esbuild';
import { copyFileSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** How code for browsers is bundled. */
export const forBrowsers = {
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** The complete page of the policy playground, which loads nothing from other hosts. */
export async function buildPlayground(outdir: string): Promise<void> {
  await build({
    ...forBrowsers,
    absWorkingDir: root,
    entryPoints: ['src/playground/page/page.ts'],
    outdir,
    minify: true,
  });
  const page = (name: string): URL => new URL(`../src/playground/page/${name}`, import.meta.url);
  copyFileSync(page('index.html'), `${outdir}/index.html`);
  const styles = ['theme.css', 'page.css'].map((name) => readFileSync(page(name), 'utf8'));
  writeFileSync(`${outdir}/page.css`, styles.join('\n'));
}

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Builds the page, unless it is complete and newer than all that it can be made of. */
export async function ensurePlayground(outdir: string): Promise<void> {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map((name) => `src/${name}`);
  const builtAt = Math.min(...['index.html', 'page.css', 'page.js'].map((name) => changedAt(join(outdir, name))));
  const isCurrent = ['package-lock.json', 'scripts/build-playground.ts', ...sources].every(
    (name) => changedAt(join(root, name)) < builtAt,
  );
  if (isCurrent) return;
  await buildPlayground(outdir);
  await stopBundler();
}
