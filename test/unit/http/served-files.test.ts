// GET /guest-token.js: the file is the build of src/browser/, small, and cached by its ETag.
import Fastify from 'fastify';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { buildBrowserHelper } from '../../../scripts/build-browser-helper.ts';
import { registerBrowserHelper } from '../../../src/http/served-files.ts';
import { readBrowserHelper } from '../../../src/shipped-files.ts';

const app = Fastify();
registerBrowserHelper(app, readBrowserHelper(), '');
afterAll(() => app.close());
const get = (headers: Record<string, string> = {}) => app.inject({ url: '/guest-token.js', headers });

describe('guest-token.js', () => {
  it('equals the output of `npm run build` from src/browser/', async () => {
    expect(readBrowserHelper()).toBe(await buildBrowserHelper());
  });

  it('is smaller than 4 kB after compression', () => {
    expect(gzipSync(readBrowserHelper(), { level: 9 }).length).toBeLessThan(4_000);
  });

  it('imports nothing', () => {
    expect(readBrowserHelper()).not.toMatch(/\bimport\b|\brequire\(/);
  });

  it('can be imported without a DOM', async () => {
    const module = (await import(new URL('../../../guest-token.js', import.meta.url).href)) as object;
    expect(Object.keys(module).sort()).toEqual(['createGuestTokens', 'mount']);
  });

  it('is sent as a module that caches may keep', async () => {
    const { statusCode, headers, body } = await get();
    expect(statusCode).toBe(200);
    expect(body).toBe(readBrowserHelper());
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=3600, stale-while-revalidate=86400',
    });
    expect(headers.etag).toMatch(/^"[\w-]{22}"$/);
  });

  it.each([
    ['its tag', (etag: string) => etag],
    ['its tag, weak', (etag: string) => `W/${etag}`],
    ['a list with its tag', (etag: string) => `"other", ${etag}`],
    ['an asterisk', () => '*'],
  ])('is not sent again for If-None-Match with %s', async (_title, toHeader) => {
    const { headers } = await get();
    const again = await get({ 'if-none-match': toHeader(String(headers.etag)) });
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', headers.etag]);
  });

  it('is sent again for another tag', async () => {
    expect((await get({ 'if-none-match': '"other"' })).statusCode).toBe(200);
  });
});
