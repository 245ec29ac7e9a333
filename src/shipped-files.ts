// Files shipped with the program. They are one folder above this module, in the sources and in the bundle.
import { readFileSync } from 'node:fs';

/** The text of openapi.yaml. */
export const readOpenApiDocument = (): string => readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8');

/**
 * The page of the policy playground, built from src/playground/page/ by `npm run build`. Throws if it was not built.
 */
export function readPlaygroundFiles() {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  return {
    'index.html': read('../dist/playground/index.html'),
    'page.css': read('../dist/playground/page.css'),
    'page.js': read('../dist/playground/page.js'),
    'policy.schema.json': read('../policy.schema.json'),
  };
}

/** The text of guest-token.js, built from src/browser/ by `npm run build`. */
export const readBrowserHelper = (): string => readFileSync(new URL('../guest-token.js', import.meta.url), 'utf8');
