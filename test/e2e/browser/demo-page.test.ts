// The demo's page in a real browser: three users with their own rows, and attacks that visibly fail.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumReason, hasChromium, launchChromium } from '../../support/programs/chromium.ts';
import { startDemo, type DemoProcess } from '../../support/programs/demo-process.ts';
import { until } from '../../support/until.ts';
import { pageTexts } from '../../support/sentences/page-texts.ts';
import { sentenceOf } from '../../support/sentences/name-sentence.ts';

describe.skipIf(!hasChromium)(`the demo's page${chromiumReason}`, () => {
  let demo: DemoProcess;
  let browser: Browser;
  let page: Page;
  /** Errors of the browser, except the refusals that the tests cause. */
  const complaints: string[] = [];

  beforeAll(async () => {
    demo = startDemo();
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 400, height: 800 }, reducedMotion: 'reduce' });
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[013]/.test(message.text())) complaints.push(message.text());
    });
    await page.goto(await demo.pageUrl());
  });

  afterAll(async () => {
    await browser.close();
    demo.child.kill('SIGTERM');
    await demo.ended;
  });

  const textOf = async (selector: string): Promise<string> => (await page.locator(selector).innerText()).trim();
  const settled = async (): Promise<string> => {
    await page.waitForSelector('#steps[aria-busy="false"]');
    return textOf('#verdict');
  };
  const choose = async (user: string): Promise<void> => {
    await page.locator('#users label', { hasText: user }).click();
    await page.getByRole('button', { name: pageTexts.getToken }).click();
    expect(await settled()).toBe(pageTexts.tokenGiven);
  };
  const rows = async (): Promise<readonly string[]> => {
    const cells = await page.locator('#dashboard tbody tr').allInnerTexts();
    return [
      ...new Set(
        cells.map((row) =>
          row
            .split(/\s*\t\s*/)
            .slice(0, 2)
            .join('/'),
        ),
      ),
    ];
  };

  it.each([
    ['Ada', ['acme/Germany'], ['Germany', 'France']],
    [
      'Grace',
      ['acme/Germany', 'acme/France', 'acme/Canada', 'acme/United States', 'acme/Japan'],
      ['Germany', 'France', 'Canada', 'United States', 'Japan'],
    ],
    ['Hedy', ['globex/Italy', 'globex/Spain'], ['Italy', 'Spain']],
  ])('shows %s only the rows of her tenant and role', async (user, orders, countries) => {
    await choose(user);
    expect(await textOf('#dashboard .status')).toBe('Token accepted');
    expect(await rows()).toEqual(orders);
    expect(await page.locator('#dashboard .bar-name').allInnerTexts()).toEqual(countries);
  });

  it('opens the finance report for the administrator, and not for a viewer', async () => {
    await choose('Ada');
    await page.click('[data-embed="finance-report"]');
    await page.waitForSelector('[data-accepted="false"]');
    expect(await textOf('#dashboard .status')).toBe(`403: ${sentenceOf('embedNotOpened')}`);
    await choose('Grace');
    await page.click('[data-embed="finance-report"]');
    await page.waitForSelector('text=Margin by country');
    expect(await textOf('#dashboard .status')).toBe('Token accepted');
  });

  it('shows the call, the answer, and the body that Databrain received, with the claims of its values', async () => {
    await choose('Hedy');
    expect(await textOf('#call .http')).toMatch(/^POST \/guest-token\nAuthorization: Bearer [\w.-]{14}…[\w-]{6}$/);
    expect(await textOf('#answer .http')).toMatch(
      /^Guest-Token-Expires-In: 3\d{3}\n\{\n {2}"token": "[0-9a-f-]{36}"\n\}$/,
    );
    await page.waitForSelector('#received .line.from-claim');
    const shown = (await page.locator('#received .line').allInnerTexts()).map((line) => line.replace(/\s+/g, ' '));
    expect(shown.map((line) => line.replace(/claims\..*$/, '').trim()).join('')).toBe(
      JSON.stringify({
        clientId: 'globex',
        dataAppName: 'sales-dashboard',
        params: {
          allowedEmbeds: ['sales-overview'],
          appFilters: [{ metricId: 'orders', values: { country: ['Italy', 'Spain'], paid_orders: true } }],
          dashboardAppFilters: [{ dashboardId: 'overview', isShowOnUrl: false, values: { region: 'emea' } }],
          hideDashboardFilters: ['cost'],
          userIdentifier: 'hedy',
        },
        permissions: { isEnableDownloadMetrics: false, isEnableUnderlyingData: false, isShowDashboardName: true },
        expiryTime: 3_600_000,
      })
        .replaceAll('":', '": ')
        .replaceAll('","Spain', '", "Spain'),
    );
    expect(shown.find((line) => line.includes('"region"'))).toContain('claims.region');
    expect(shown.find((line) => line.includes('"dashboardId"'))).not.toContain('claims.');
  });

  it.each([
    ['Send my own clientId', '400 INVALID_REQUEST'],
    ['Request another data app', '403 DATA_APP_NOT_ALLOWED'],
    ['Change the token’s claims', '401 INVALID_TOKEN'],
    ['Use an expired token', '401 TOKEN_EXPIRED'],
    ['Send no token', '401 AUTHENTICATION_REQUIRED'],
  ])('shows a refusal: %s', async (attack, answer) => {
    await choose('Ada');
    await page.getByRole('button', { name: attack }).click();
    expect(await settled()).toBe(`Refused, as expected: ${answer}.`);
    expect(await textOf('#answer .status')).toBe(answer.slice(0, 3));
    expect(await textOf('#received')).toBe('Nothing. The proxy refused the request.');
    expect(await textOf('#dashboard')).toBe('Without a token, no dashboard can be opened.');
    expect(await page.getAttribute('[data-node="dashboard"]', 'data-state')).toBe('unreached');
  });

  it('explains each term in one sentence', async () => {
    const words = await textOf('.words');
    for (const word of ['Databrain', 'data app', 'embed', 'guest token']) expect(words).toContain(word);
    expect(words.match(/\./g)).toHaveLength(1);
  });

  it('scrolls the result into view on a small screen', async () => {
    await page.evaluate('scrollTo(0, 0)');
    await page.getByRole('button', { name: 'Use an expired token' }).click();
    expect(await settled()).toContain('TOKEN_EXPIRED');
    await until(() =>
      page.evaluate<boolean>(
        `document.getElementById('verdict').getBoundingClientRect().bottom < innerHeight && scrollY > 0`,
      ),
    );
  });

  it('shows the reason of a refusal, which the browser does not get', async () => {
    await page.getByRole('button', { name: 'Change the token’s claims' }).click();
    expect(await settled()).toContain('INVALID_TOKEN');
    await page.waitForSelector('#log');
    expect(await textOf('#log')).toMatch(/^The operator’s log\nreason\s+signature_invalid\s/);
    expect(await textOf('#answer .http')).not.toContain('signature');
  });

  it('shows the changed claims of a token, before and after', async () => {
    await page.locator('#users label', { hasText: 'Ada' }).click();
    await page.getByRole('button', { name: 'Change the token’s claims' }).click();
    expect(await settled()).toContain('INVALID_TOKEN');
    const changed = (await page.locator('#call .is-changed').allInnerTexts()).map((line) =>
      line.replace(/\s+/g, ' ').trim(),
    );
    expect(changed).toEqual(['"org_id": "globex",was "acme"', '"role": "admin",was "viewer"']);
  });

  it('links a value from a claim to its line of the policy', async () => {
    await choose('Ada');
    await page.waitForSelector('#received .line.from-claim');
    await page.getByRole('button', { name: /^claims\.countries: line \d+ of the policy$/ }).press('Enter');
    const marked = page.locator('.policy-line.is-marked');
    expect((await marked.innerText()).trim()).toBe("values: { country: '${claims.countries}', paid_orders: true }");
    await until(() => page.evaluate<boolean>(`document.activeElement.classList.contains('is-marked')`));
    await page.locator('#received .line.from-claim', { hasText: 'clientId' }).click();
    expect((await marked.innerText()).trim()).toBe('clientId: ${claims.org_id}');
  });

  it('shows the audit line of an issued token', async () => {
    await choose('Hedy');
    await page.getByText('The operator’s audit line').click();
    expect(await textOf('#log')).toMatch(/event\s+guest_token.issued\s[^]*sub\s+hedy\s[^]*clientId\s+globex/);
  });

  it('has a page for the real component', async () => {
    expect(await page.locator('#component-link').getAttribute('href')).toBe('component');
    expect(await page.locator('#component-link').isVisible()).toBe(true);
  });

  it('can be used with the keyboard only', async () => {
    await page.getByRole('radio', { name: 'Ada' }).focus();
    await page.keyboard.press('ArrowDown');
    expect(await settled()).toBe(pageTexts.tokenGiven);
    expect(await textOf('[data-node="browser"] span')).toBe('Grace');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await settled()).toBe('Refused, as expected: 400 INVALID_REQUEST.');
  });

  it('fits a narrow screen and causes no browser errors', async () => {
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
    expect(complaints).toEqual([]);
  });

  it('refuses other host names', async () => {
    const { port } = new URL(await demo.pageUrl());
    const { request } = await import('node:http');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/demo.json', headers: { host: 'attacker.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });
});
