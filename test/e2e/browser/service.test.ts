// The helper and the real service in a real browser: which origins are allowed, and that pages of other origins cannot
// use a user's cookie.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { startDatabrain } from '../../contract/api/provocations.ts';
import { accessToken, cookieName, startService, type RunningService } from '../../contract/api/running-service.ts';
import { chromiumReason, hasChromium, launchChromium } from '../../support/programs/chromium.ts';
import { until } from '../../support/until.ts';

interface Audit {
  readonly event?: string;
  readonly code?: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe.skipIf(!hasChromium)(`a page and the service${chromiumReason}`, () => {
  let browser: Browser;
  let databrain: SimulatedDatabrain;
  let service: RunningService;
  let context: BrowserContext;
  const lines: Audit[] = [];
  const pages: Server[] = [];
  let allowed = '';
  /** The same site, so that cookies are sent, with another origin. */
  let sibling = '';
  /** Another site. */
  let foreign = '';
  /** The service, on the same site as the app's page. */
  let url = '';

  async function servePage(): Promise<number> {
    const server = createServer((_request, response) => {
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<!doctype html><title>A page</title><link rel="icon" href="data:,">');
    });
    pages.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  beforeAll(async () => {
    allowed = `http://localhost:${await servePage()}`;
    const port = await servePage();
    sibling = `http://localhost:${port}`;
    foreign = `http://127.0.0.1:${port}`;
    databrain = await startDatabrain();
    service = await startService({
      databrainUrl: databrain.url,
      settings: { CORS_ORIGINS: allowed },
      log: (line) => lines.push(JSON.parse(line) as Audit),
    });
    url = `http://localhost:${service.port}`;
    browser = await launchChromium();
  });
  beforeEach(async () => {
    context = await browser.newContext();
  });
  afterEach(() => context.close());
  afterAll(async () => {
    await browser.close();
    await service.stop();
    await databrain.close();
    for (const server of pages) server.close();
  });

  const open = async (origin: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(origin);
    return page;
  };
  const logIn = (): Promise<void> =>
    context.addCookies([{ name: cookieName, value: accessToken(), url, httpOnly: true, sameSite: 'Lax' }]);
  /** The events at the service and at Databrain since `from`. */
  const since = (from: { readonly mints: number; readonly lines: number }) => ({
    mints: databrain.requests.length - from.mints,
    decisions: lines
      .slice(from.lines)
      .flatMap(({ event, code }) => (event?.startsWith('guest_token.') ? [code ?? 'ISSUED'] : [])),
  });
  const now = () => ({ mints: databrain.requests.length, lines: lines.length });
  /** A token from the helper that the service serves, or the code of the error. */
  const getToken = (page: Page, options: string): Promise<string> =>
    page.evaluate(`import('${url}/guest-token.js').then(({ createGuestTokens }) => new Promise((resolve) => {
      const tokens = createGuestTokens({ url: '${url}/guest-token', ...${options} });
      tokens.subscribe((event) => { resolve(event.type === 'token' ? event.token : event.error.code); tokens.stop(); });
    }), (error) => error.name)`);

  it('work together from an allowed origin, with the headers that the helper reads', async () => {
    const page = await open(allowed);
    const from = now();
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    expect(await getToken(page, `{ getAccessToken: () => '${accessToken()}' }`)).toMatch(uuid);
    expect(since(from)).toEqual({ mints: 1, decisions: ['ISSUED'] });
    const exposed = (await (await answered).allHeaders())['access-control-expose-headers'] ?? '';
    for (const name of ['Guest-Token-Expires-In', 'Guest-Token-Grant', 'Retry-After']) expect(exposed).toContain(name);
  });

  it('show the code of a refusal', async () => {
    const page = await open(allowed);
    const from = now();
    const refused = accessToken({ email_verified: false });
    expect(await getToken(page, `{ getAccessToken: () => '${refused}' }`)).toBe('ACCESS_DENIED');
    expect(since(from)).toEqual({ mints: 0, decisions: ['ACCESS_DENIED'] });
  });

  it.each([
    ['of the same site', () => sibling],
    ['of another site', () => foreign],
  ])('do not work together from a foreign origin %s', async (_title, origin) => {
    const page = await open(origin());
    const from = now();
    // Not even the helper can be loaded from there.
    expect(await getToken(page, `{ getAccessToken: () => '${accessToken()}' }`)).toBe('TypeError');
    const request = `fetch('${url}/guest-token', { method: 'POST', headers: { authorization: 'Bearer ${accessToken()}' } })`;
    expect(await page.evaluate(`${request}.catch(({ name }) => name)`)).toBe('TypeError');
    expect(since(from)).toEqual({ mints: 0, decisions: [] });
  });

  it('work together with a cookie from an allowed origin', async () => {
    await logIn();
    const page = await open(allowed);
    const from = now();
    expect(await getToken(page, '{}')).toMatch(uuid);
    expect(since(from)).toEqual({ mints: 1, decisions: ['ISSUED'] });
  });

  it('show an error without a cookie', async () => {
    const page = await open(allowed);
    expect(await getToken(page, '{}')).toBe('AUTHENTICATION_REQUIRED');
  });

  const attempts: readonly (readonly [string, string])[] = [
    ['a call that is not CORS', `fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' })`],
    ['a call that is', `fetch(url, { method: 'POST', credentials: 'include' }).catch(() => {})`],
    [
      'JSON as plain text',
      `fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"dataApp":"sales-dashboard"}' })`,
    ],
    ['a beacon', `navigator.sendBeacon(url)`],
    [
      'a form in a frame',
      `new Promise((resolve) => { const frame = document.createElement('iframe'); frame.name = 'target'; document.body.append(frame);
      const form = Object.assign(document.createElement('form'), { action: url, method: 'POST', target: 'target', enctype: 'text/plain' });
      document.body.append(form); form.submit(); frame.onload = resolve; })`,
    ],
    [
      'a form of the whole page',
      `Object.assign(document.body.appendChild(document.createElement('form')), { action: url, method: 'POST' }).submit()`,
    ],
    [
      'a frame without an origin',
      `new Promise((resolve) => { const frame = document.createElement('iframe'); frame.sandbox = 'allow-scripts';
      frame.srcdoc = '<script>fetch("' + url + '", { method: "POST", mode: "no-cors", credentials: "include" }).finally(() => parent.postMessage("", "*"))</' + 'script>';
      addEventListener('message', resolve); document.body.append(frame); })`,
    ],
    ['a picture', `new Promise((resolve) => { const image = new Image(); image.onerror = resolve; image.src = url; })`],
  ];
  it.each(attempts)(
    'give no token to a hostile page of the same site that uses the cookie: %s',
    async (_title, attempt) => {
      await logIn();
      const page = await open(sibling);
      const from = now();
      void page.evaluate(`((url) => ${attempt})('${url}/guest-token')`).catch(() => undefined);
      await until(() => since(from).decisions.length > 0);
      const { mints, decisions } = since(from);
      expect(mints).toBe(0);
      expect(decisions).toHaveLength(1);
      expect([
        'ORIGIN_NOT_ALLOWED',
        'UNSUPPORTED_MEDIA_TYPE',
        'METHOD_NOT_ALLOWED',
        'AUTHENTICATION_REQUIRED',
      ]).toContain(decisions[0]);
    },
  );
});
