// CORS_ORIGINS: the origins of pages that may call. Exact origins as browsers send them, including those of apps in a
// web view, and `https://*.app.example.com` for subdomains.
import type { SettingReader } from './setting-reader.ts';

/** Schemes that are not an origin of an app: they have no host, or any page can use them. */
const hostless = /^(?:about|blob|data|file|filesystem|javascript|mailto|view-source|ws|wss|ftp):/;
/**
 * `capacitor://localhost`, `chrome-extension://<id>`: the origin of a scheme that is not built into browsers.
 */
const appOrigin = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/;

const webOrigin = /^https?:\/\//;
const wildcard = /^https:\/\/\*\.(.+)$/;

const isExactWebOrigin = (text: string): boolean =>
  webOrigin.test(text) && !text.includes('*') && URL.canParse(text) && new URL(text).origin === text;

/** Whether an entry is `https://*.app.example.com`: one label before a name of at least two labels. */
export function isWildcardOrigin(text: string): boolean {
  const parent = wildcard.exec(text)?.[1];
  return parent !== undefined && /^[^.]+\.[^.]/.test(parent) && isExactWebOrigin(`https://${parent}`);
}

function problemOf(origin: string): readonly [problem: string, fix: string] | undefined {
  if (origin === '*' || origin === 'null') {
    return [`has ${origin}, which is every page`, 'List the exact origins of your own pages'];
  }
  if (isExactWebOrigin(origin) || isWildcardOrigin(origin)) return undefined;
  if (!webOrigin.test(origin) && !hostless.test(origin) && appOrigin.test(origin)) return undefined;
  if (origin.includes('*')) {
    return [
      'has an entry with a star in the wrong place',
      'Write it as https://*.app.example.com, for exactly one label before a name of your own',
    ];
  }
  return [
    'has an entry that is not an exact origin',
    webOrigin.test(origin)
      ? 'Write scheme, host and port only, in lower case, such as https://app.example.com'
      : 'Write it as https://app.example.com',
  ];
}

/** Serialised origins (RFC 6454 §6.1), each once. */
export function readCorsOrigins(reader: SettingReader): readonly string[] {
  const origins = reader.list('CORS_ORIGINS') ?? [];
  for (const origin of origins) {
    const problem = problemOf(origin);
    if (problem !== undefined) reader.report('CORS_ORIGINS', ...problem);
  }
  return [...new Set(origins)];
}
