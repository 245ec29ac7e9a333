import { describe, expect, it } from 'vitest';
import { readCorsOrigins, isWildcardOrigin } from '../../../src/config/read-cors-origins.ts';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import type { Problem } from '../../../src/problem.ts';

function read(value: string): { readonly origins: readonly string[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const reader = createSettingReader({ CORS_ORIGINS: value }, () => Buffer.alloc(0), problems);
  return { origins: readCorsOrigins(reader), problems };
}

describe('CORS_ORIGINS', () => {
  it('accepts exact origins, and removes duplicates', () => {
    const { origins, problems } = read('https://a.example, http://localhost:5173,https://a.example');
    expect(origins).toEqual(['https://a.example', 'http://localhost:5173']);
    expect(problems).toEqual([]);
  });

  it.each([
    'capacitor://localhost',
    'ionic://localhost',
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnop',
    'app://local:8080',
    'https://*.app.example.com',
    'https://*.app.example.com:8443',
  ])('accepts %s', (value) => expect(read(value)).toEqual({ origins: [value], problems: [] }));

  it.each([
    '*',
    'null',
    'https://a.example/',
    'https://A.example',
    'https://a.example:443',
    'a.example',
    'https://*',
    'https://*.example',
    'https://*.*.example.com',
    'https://a.*.example.com',
    'https://*a.example.com',
    'https://a*.example.com',
    'https://*.example.com/',
    'https://*.Example.com',
    'http://*.app.example.com',
    'capacitor://*.example.com',
    'capacitor://localhost/',
    'capacitor://',
    'file://',
    'file:///index.html',
    'file://localhost',
    'https://u:p@a.example',
    'capacitor://u@localhost',
    'data:text/plain,x',
    'https://a.example,,https://b.example',
  ])('refuses %s', (value) => {
    const { problems } = read(value);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every(({ location }) => location === 'CORS_ORIGINS')).toBe(true);
  });

  it('separates wildcard entries from exact origins', () => {
    expect(isWildcardOrigin('https://*.app.example.com')).toBe(true);
    expect(isWildcardOrigin('https://app.example.com')).toBe(false);
  });
});
