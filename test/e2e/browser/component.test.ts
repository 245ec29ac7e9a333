// The vendor's own component, @databrainhq/plugin 0.12.9, in a real browser: the demo's page with the real proxy and
// the simulated Databrain, which enforces the rights of a token. Every test counts the requests.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumReason, hasChromium, launchChromium } from '../../support/programs/chromium.ts';
import { startDemo, type DemoProcess } from '../../support/programs/demo-process.ts';
import { until } from '../../support/until.ts';

describe.skipIf(!hasChromium)(`the vendor's component${chromiumReason}`, () => {
  let demo: DemoProcess;
  let browser: Browser;
  let page: Page;
  /** Method, path and credential of everything that was sent to Databrain or the proxy, oldest first. */
  const sent: string[] = [];
  /** Hosts of all requests. */
  const hosts = new Set<string>();
  const complaints: string[] = [];

  beforeAll(async () => {
    demo = startDemo();
    browser = await launchChromium();
    await demo.line('curl ');
    // One tab: the browser compiles the six megabytes of the component once.
    page = await browser.newPage();
    page.on('request', (request) => {
      const { hostname, pathname } = new URL(request.url());
      hosts.add(hostname);
      const token = request.headers()['x-plugin-token'] ?? '';
      if (/^\/(guest-token$|api\/)/.test(pathname)) sent.push(`${request.method()} ${pathname} ${token}`.trim());
    });
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => {
      // The component refers to icons in a way that no browser allows, and this test causes refusals.
      if (
        message.type() === 'error' &&
        !/Unsafe attempt to load URL data:|status of 40[13]|does not open this embed/.test(message.text())
      )
        complaints.push(message.text());
    });
  });
  beforeEach(async () => {
    await page.setViewportSize({ width: 1200, height: 1000 });
    await page.goto(`${await demo.pageUrl()}/component`);
  });
  afterEach(async () => {
    // Nothing outlives the document.
    const kept = '[document.cookie, localStorage.length, sessionStorage.length]';
    expect(await page.evaluate(kept)).toEqual(['', 0, 0]);
    await page.goto('about:blank');
    expect(complaints.splice(0)).toEqual([]);
    expect([...hosts]).toEqual(['127.0.0.1']);
    sent.length = 0;
  });
  afterAll(async () => {
    await browser.close();
    demo.child.kill('SIGTERM');
    await demo.ended;
  });

  /** Runs in the window of the component: the page, or the frame that replaces it. */
  const inComponent = <T>(expression: string): Promise<T> =>
    page.evaluate<T>(`((view) => { const element = view.document.querySelector('#stage dbn-dashboard, body > dbn-dashboard, dbn-metric');
      const root = element?.shadowRoot; return ${expression}; })(document.querySelector('#stage iframe')?.contentWindow ?? window)`);
  const text = async (): Promise<string> =>
    (await inComponent<string | undefined>(
      `root && [...root.children].filter(({ tagName }) => tagName !== 'STYLE').map(({ innerText }) => innerText).join(' ')`,
    )) ?? '';
  const companies = async (): Promise<readonly string[]> => [...new Set((await text()).match(/\b(acme|globex)\b/g))];
  const choose = (user: string): Promise<void> => page.locator('#users label', { hasText: user }).click();
  const countOf = (path: string): number => sent.filter((one) => one.startsWith(path)).length;
  const frames = (): Promise<number> => page.locator('#stage iframe').count();

  it('shows the viewer of Acme the rows of Acme, with one guest token and no request to another host', async () => {
    await until(async () => (await text()).includes('1-2 of 2'));
    expect(await companies()).toEqual(['acme']);
    expect(await text()).not.toContain('France');
    expect([countOf('POST /guest-token'), countOf('GET /api/v2/dashboard ')]).toEqual([1, 1]);
    expect(await frames()).toBe(0);
    expect(await page.evaluate(`getComputedStyle(document.querySelector('h1')).fontSize`)).toBe('25.6px');
  });

  it('shows the next user her own rows, without a row or a request of the previous user', async () => {
    await until(async () => (await text()).includes('1-2 of 2'));
    await page.evaluate(`window.seen = [], window.watch = setInterval(() => { const view = document.querySelector('#stage iframe')?.contentWindow ?? window;
      const shown = [...(view.document.querySelector('dbn-dashboard')?.shadowRoot.children ?? [])].filter(({ tagName }) => tagName !== 'STYLE');
      seen.push(shown.map(({ textContent }) => textContent).join(' ')) }, 5), 0`);
    const { length } = sent;
    await choose('Hedy');
    await until(async () => (await text()).includes('1-3 of 3'));
    expect(await companies()).toEqual(['globex']);
    expect(await frames()).toBe(1);
    const seen = await page.evaluate<string[]>('clearInterval(watch), seen');
    expect(seen.filter((shown) => shown.includes('globex')).length).toBeGreaterThan(0);
    const after = seen.slice(seen.findLastIndex((shown) => shown.includes('acme')) + 1);
    expect(seen.slice(0, seen.length - after.length).some((shown) => shown.includes('globex'))).toBe(false);
    // Only requests of the new user: one guest token, one dashboard with it, rows of her own client.
    const ofHedy = sent.slice(length);
    expect(ofHedy.filter((one) => one.startsWith('POST /guest-token'))).toHaveLength(1);
    expect(ofHedy.filter((one) => one.startsWith('GET /api/v2/dashboard '))).toHaveLength(1);
    const calls = await page.evaluate<{ handle?: string }[]>(`fetch('component-calls.json').then((got) => got.json())`);
    expect(new Set(calls.slice(-4).map(({ handle }) => handle)).size).toBe(1);
  });

  it('shows the rows again after the first user is back in the page', async () => {
    await until(async () => (await text()).includes('1-2 of 2'));
    await choose('Grace');
    await until(async () => (await text()).includes('1-10 of 10'));
    expect(await companies()).toEqual(['acme']);
    await choose('Ada');
    await until(async () => (await text()).includes('1-2 of 2'));
    expect(await frames()).toBe(0);
  });

  it("keeps the view and the user's input during renewals, and its next request contains the newest token", async () => {
    await until(async () => (await text()).includes('1-2 of 2'));
    await inComponent(`window.kept = element, root.querySelector('input').focus()`);
    await page.keyboard.type('Rock');
    await until(async () => (await text()).includes('1-1 of 1'));
    await page.locator('#events li', { hasText: 'The view was kept.' }).waitFor({ timeout: 45_000 });
    expect(await inComponent(`window.kept === element && root.querySelector('input').value`)).toBe('Rock');
    expect(countOf('GET /api/v2/dashboard ')).toBe(1);
    await page.getByRole('button', { name: 'Send again' }).click();
    await until(() => countOf('GET /api/v2/dashboard ') === 2);
    const [first, second] = sent.filter((one) => one.startsWith('GET /api/v2/dashboard '));
    expect(second).not.toBe(first);
    const shown = (await page.locator('#token').innerText()).slice(0, 8);
    expect(second).toContain(`dashboard ${shown}`);
    expect(await inComponent(`root.querySelector('input').value`)).toBe('Rock');
    expect(countOf('POST /guest-token')).toBe(2);
  }, 70_000);

  it('cannot open an embed that the token does not allow', async () => {
    await until(async () => (await text()).includes('1-2 of 2'));
    await page.getByRole('button', { name: 'Finance report' }).click();
    // The component tries for seven seconds, and its spinner would be drawn 60 times a second.
    await until(() => inComponent<boolean>(`root?.querySelector('animateTransform') != null`));
    await inComponent(`root.querySelectorAll('svg').forEach((svg) => svg.pauseAnimations())`);
    await until(async () => (await text()).includes('Invalid token or Dashboard id'), 20_000);
    expect(await text()).not.toContain('Margin');
    await choose('Grace');
    await until(async () => (await text()).includes('Margin by country'));
    await page.getByRole('button', { name: 'Orders alone' }).click();
    await until(async () => (await text()).includes('1-10 of 10'));
    expect(countOf('POST /guest-token')).toBe(2);
  }, 60_000);

  it('fits the screen of a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await until(async () => (await text()).includes('1-2 of 2'));
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });
});
