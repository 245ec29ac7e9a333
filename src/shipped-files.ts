// Files shipped with the program. They are one folder above its main module, in the sources and in the bundle.
import { readFileSync } from 'node:fs';

const read = (path: string, programUrl: string): string => readFileSync(new URL(path, programUrl), 'utf8');

/** The text of openapi.yaml. `programUrl` is the main module's, or that of another file in its folder. */
export const readOpenApiDocument = (programUrl = import.meta.url): string => read('../openapi.yaml', programUrl);

/**
 * The page of the policy playground, built from src/playground/page/ by `npm run build`. Throws if it was not built.
 */
export function readPlaygroundFiles(programUrl: string) {
  return {
    'index.html': read('../dist/playground/index.html', programUrl),
    'page.css': read('../dist/playground/page.css', programUrl),
    'page.js': read('../dist/playground/page.js', programUrl),
    'policy.schema.json': read('../policy.schema.json', programUrl),
  };
}

/** The text of guest-token.js, built from src/browser/ by `npm run build`. */
export const readBrowserHelper = (programUrl = import.meta.url): string => read('../guest-token.js', programUrl);
