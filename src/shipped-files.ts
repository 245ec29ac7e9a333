// Files that ship beside the program. This module lies one folder below them in the sources and in the bundle alike.
import { readFileSync } from 'node:fs';

/** The text of openapi.yaml. */
export const readOpenApiDocument = (): string => readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8');

/** The text of guest-token.js, which `npm run build` makes of src/browser/. */
export const readBrowserHelper = (): string => readFileSync(new URL('../guest-token.js', import.meta.url), 'utf8');
