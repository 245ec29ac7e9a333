// Builds the policy playground's page, which the admin listener serves from dist/playground/.
import { build } from 'esbuild';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** The complete page of the policy playground, which loads nothing from other hosts. */
export async function buildPlayground(outdir: string): Promise<void> {
  await build({
    absWorkingDir: resolve(import.meta.dirname, '..'),
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
  const page = (name: string): URL => new URL(`../src/playground/page/${name}`, import.meta.url);
  copyFileSync(page('index.html'), `${outdir}/index.html`);
  const styles = ['theme.css', 'page.css'].map((name) => readFileSync(page(name), 'utf8'));
  writeFileSync(`${outdir}/page.css`, styles.join('\n'));
}
