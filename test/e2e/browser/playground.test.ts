// The policy playground in a real browser, on the real program's admin listener.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { request } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensurePlayground } from '../../../scripts/build-playground.ts';
import { startDatabrain } from '../../contract/api/provocations.ts';
import { freePort } from '../../../demo/free-port.ts';
import { chromiumReason, hasChromium, launchChromium } from '../../support/programs/chromium.ts';
import { programPath } from '../../support/programs/program-path.ts';
import { startProgram, type Program } from '../../support/programs/program.ts';
import { pageTexts } from '../../support/sentences/page-texts.ts';

const apiKey = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';
const secret = 'the secret of the playground test is a long one';
const policy = `version: 1
variables:
  isAdmin: claims.role == "admin"
dataApps:
  sales-dashboard:
    default: true
    validations:
      - expression: claims.email_verified == true
        message: Verify your e-mail address first.
    expiresIn: 1h
    request:
      clientId: \${claims.org_id}
      params:
        allowedEmbeds: [sales-overview]
      permissions:
        isEnableDownloadMetrics: \${variables.isAdmin}
`;
const tests = `- name: a viewer may not download
  claims: { org_id: acme, role: viewer, email_verified: true }
  expect:
    request:
      clientId: acme
      dataAppName: sales-dashboard
      params: { allowedEmbeds: [sales-overview] }
      permissions: { isEnableDownloadMetrics: false }
      expiryTime: 3600000
`;

let program: Program;
let databrain: Awaited<ReturnType<typeof startDatabrain>>;
let adminUrl: string;

const start = async (env: Readonly<Record<string, string>>): Promise<Program> =>
  startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: 'https://issuer.example',
      JWT_AUDIENCE: 'guest-token',
      JWT_SECRET: secret,
      DATABRAIN_API_KEY: apiKey,
      DATABRAIN_API_URL: databrain.url,
      POLICY_TEST_FILES: 'tests.yaml',
      SHUTDOWN_DRAIN_SECONDS: '0',
      ...env,
    },
    files: { 'policy.yaml': policy, 'tests.yaml': tests },
  });

beforeAll(async () => {
  await ensurePlayground('dist/playground');
  databrain = await startDatabrain();
  const port = await freePort();
  adminUrl = `http://127.0.0.1:${port}`;
  program = await start({ ADMIN_PORT: String(port), ADMIN_PLAYGROUND: 'true' });
}, 60_000);
afterAll(async () => {
  await program.stop();
  await databrain.close();
});

interface PlaygroundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function send(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<PlaygroundResponse> {
  return new Promise((resolve, reject) => {
    const call = request(`${adminUrl}${path}`, {
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
      agent: false,
    });
    call.on('error', reject);
    call.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    call.end(options.body);
  });
}

const question = JSON.stringify({ policy, claims: { org_id: 'acme', role: 'viewer', email_verified: true } });
const json = { 'content-type': 'application/json' };

describe('the playground on the admin listener', () => {
  it('does not exist unless it is enabled', async () => {
    const port = await freePort();
    const without = await start({ ADMIN_PORT: String(port) });
    const answer = await fetch(`http://127.0.0.1:${port}/playground/`);
    expect(answer.status).toBe(404);
    expect(await without.stop()).toBe(0);
  });

  it('is never available on the public listener', async () => {
    const answer = await fetch(`http://127.0.0.1:${program.port}/playground/`);
    expect(answer.status).toBe(404);
  });

  it('serves its page under a policy without inline scripts and eval', async () => {
    const { status, headers, body } = await send('/playground/');
    expect(status).toBe(200);
    const csp = String(headers['content-security-policy']);
    expect(csp).toContain("default-src 'none'");
    expect(csp).not.toContain('unsafe');
    expect(body).not.toMatch(/<script(?![^>]*src=)/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('explains a decision and mints nothing', async () => {
    const before = databrain.requests.length;
    const { status, body } = await send('/playground/evaluate', { method: 'POST', headers: json, body: question });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ explanation: { decision: 'permit', body: { clientId: 'acme' } } });
    expect(databrain.requests.length).toBe(before);
  });

  it.each([
    ['another origin', { ...json, origin: 'https://evil.example' }],
    ['no origin', { ...json, origin: 'null' }],
    ['another site, by Fetch Metadata', { ...json, 'sec-fetch-site': 'cross-site' }],
  ])('refuses a request from %s', async (_title, headers) => {
    const { status, body } = await send('/playground/evaluate', { method: 'POST', headers, body: question });
    expect(status).toBe(403);
    expect(body).toContain('ORIGIN_NOT_ALLOWED');
  });

  it('refuses an unknown host name, whatever the path', async () => {
    for (const path of ['/playground/', '/playground/start', '/playground/page.js']) {
      const { status, body } = await send(path, { headers: { host: 'rebound.example' } });
      expect(status).toBe(400);
      expect(body).not.toContain('dataApps');
    }
  });

  it.each([
    ['an unknown member', JSON.stringify({ policy, claims: {}, apiKey: 'x' })],
    ['claims that are not an object', JSON.stringify({ policy, claims: [] })],
    ['invalid JSON', '{'],
    ['a string that is too long', JSON.stringify({ policy: 'x'.repeat(300_000), claims: {} })],
  ])('refuses %s', async (_title, body) => {
    expect((await send('/playground/evaluate', { method: 'POST', headers: json, body })).status).toBe(400);
  });

  it('refuses more than one megabyte', async () => {
    const body = JSON.stringify({ policy: 'x'.repeat(1_100_000), claims: {} });
    expect((await send('/playground/evaluate', { method: 'POST', headers: json, body })).status).toBe(413);
  });

  it('contains no secret', async () => {
    const { body } = await send('/playground/start');
    const evaluated = await send('/playground/evaluate', { method: 'POST', headers: json, body: question });
    for (const text of [body, evaluated.body]) {
      expect(text).not.toContain(apiKey);
      expect(text).not.toContain(secret);
    }
    expect(JSON.parse(body)).toEqual({ policy, tests });
  });
});

describe.skipIf(!hasChromium)(`the playground's page${chromiumReason}`, () => {
  let browser: Browser;
  let page: Page;
  const violations: string[] = [];

  const evaluated = async (act: () => Promise<unknown>): Promise<void> => {
    const before = await page.locator('body').getAttribute('data-evaluated');
    await act();
    await page.locator(`body[data-evaluated]:not([data-evaluated="${before ?? ''}"])`).waitFor({ timeout: 10_000 });
  };
  const editor = (label: string) => page.getByRole('textbox', { name: label, exact: true });
  const write = (label: string, text: string) => evaluated(() => editor(label).fill(text));
  const paste = (text: string) =>
    page.evaluate(`(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', ${JSON.stringify(text)});
      const content = document.querySelector('#panel-claims > div').shadowRoot.querySelector('.cm-content');
      content.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    })()`);
  const differenceRows = async (): Promise<readonly string[]> => {
    await page.getByRole('tab', { name: 'difference' }).click();
    const rows = await page.locator('#panel-difference tbody tr').allInnerTexts();
    return rows.map((row) => row.replaceAll(/\s+/g, ' '));
  };
  const claims = (more: object): string =>
    JSON.stringify({ org_id: 'acme', role: 'viewer', email_verified: true, ...more }, null, 2);

  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.on('console', (message) => {
      // When lines of a contenteditable are replaced, Chromium tries to keep styles, which the policy of the page
      // refuses.
      const isEditing = message.text().startsWith('Applying inline style');
      if (message.type() === 'error' && !isEditing) violations.push(message.text());
    });
    page.on('pageerror', (error) => violations.push(error.stack ?? error.message));
    await evaluated(() => page.goto(`${adminUrl}/playground/`));
  }, 60_000);
  afterAll(async () => {
    await browser.close();
  });

  it('starts with the current policy, its tests, and a permit', async () => {
    await write('Claims', claims({}));
    await expect.poll(() => page.locator('#panel-decision').innerText()).toContain('Permitted for sales-dashboard');
    await page.getByRole('tab', { name: 'tests' }).last().click();
    expect(await page.locator('#panel-run').innerText()).toContain('1 passed, 0 failed');
    await page.getByRole('tab', { name: 'request' }).click();
  });

  it('links a field to its expression and its claims', async () => {
    await page.getByRole('button', { name: 'clientId: "acme"' }).click();
    const source = await page.locator('.source:visible').innerText();
    expect(source).toContain('claims.org_id');
    expect(source).toContain('org_id = "acme"');
    expect(source).toContain('line 12');
  });

  it('shows a refusal with its rule, its message and the line', async () => {
    await write('Claims', claims({ email_verified: false }));
    const text = await page.locator('#panel-decision').innerText();
    expect(text).toContain('ACCESS_DENIED (validation_refused)');
    expect(text).toContain('Verify your e-mail address first.');
    await page.getByRole('button', { name: 'Show line 8 of the policy' }).click();
    await write('Claims', claims({}));
  });

  it('shows a problem and its line while the user types', async () => {
    await write('Policy', policy.replace('expiresIn: 1h', 'expiresin: 1h'));
    const problems = await page.locator('#problems button').allInnerTexts();
    expect(problems.some((text) => text.startsWith('line 10: '))).toBe(true);
    expect(await page.locator('#panel-decision').innerText()).toContain(pageTexts.policyDoesNotLoad);
    await write('Policy', policy);
    expect(await page.locator('#problems .error').count()).toBe(0);
  });

  it('decodes a pasted JWT in the page', async () => {
    const payload = Buffer.from(claims({ org_id: 'globex' })).toString('base64url');
    const jwt = `Bearer eyJhbGciOiJIUzI1NiJ9.${payload}.c2lnbmF0dXJl`;
    const sent: string[] = [];
    page.on('request', (request) => sent.push(request.postData() ?? ''));
    await evaluated(() => paste(jwt));
    expect(await page.locator('#panel-decision').innerText()).toContain('clientId: "globex"');
    expect(await page.locator('#notice').innerText()).toContain('not checked');
    expect(sent.join('')).not.toContain('c2lnbmF0dXJl');
    await write('Claims', claims({}));
  });

  it('shows the differences for another user', async () => {
    await page.locator('[data-tabs=users] [role=tab]').last().click();
    await write(pageTexts.otherClaims, claims({ role: 'admin' }));
    expect(await differenceRows()).toEqual(['permissions.isEnableDownloadMetrics wider false true']);
  });

  it('shows the differences for another policy, with the same direction as the command diff', async () => {
    await page.locator('[data-tabs=users] [role=tab]').last().click();
    await write(pageTexts.otherClaims, '');
    await page.locator('[data-tabs=files] [role=tab]').last().click();
    await write(pageTexts.otherPolicy, policy.replace('expiresIn: 1h', 'expiresIn: 10m'));
    expect(await differenceRows()).toEqual(['expiryTime narrower 3600000 600000']);
    await write(pageTexts.otherPolicy, policy.replace('clientId: ${claims.org_id}', 'clientId: ${claims.gone}'));
    expect(await differenceRows()).toEqual(['decision narrower "permit" "deny (expression_failed)"']);
    await write(pageTexts.otherPolicy, '');
    await page.locator('[data-tabs=users] [role=tab]').last().click();
    await write(pageTexts.otherClaims, claims({ role: 'admin' }));
  });

  it('offers the token presets of all providers', async () => {
    await page.locator('[data-tabs=users] [role=tab]').first().click();
    await evaluated(() => page.locator('#preset').selectOption({ label: 'Okta' }));
    expect(await editor('Claims').textContent()).toContain('00uexample1user');
    await write('Claims', claims({}));
  });

  it('suggests the keys of the schema', async () => {
    await page.getByRole('tab', { name: 'policy.yaml' }).click();
    await editor('Policy').press('Control+End');
    await page.keyboard.type('        isShow');
    const options = page.locator('.cm-tooltip-autocomplete li');
    await expect.poll(() => options.allInnerTexts()).toEqual(expect.arrayContaining(['isShowSideBar']));
    await page.keyboard.press('Escape');
    await write('Policy', policy);
  });

  it('creates a link that restores everything', async () => {
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.waitForURL(/#.+/);
    const other = await browser.newPage();
    await other.goto(page.url());
    await other.locator('body[data-evaluated]').waitFor({ timeout: 10_000 });
    await expect.poll(() => other.locator('#panel-decision').innerText()).toContain('clientId: "acme"');
    await expect.poll(() => other.locator('#panel-difference').textContent()).toContain('isEnableDownloadMetrics');
    await other.close();
  });

  it('violates none of its own content security policy', () => expect(violations).toEqual([]));

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 390],
    ['dark', 390],
  ] as const)('has no finding of axe, %s at %d pixels', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const session = await page.context().newCDPSession(page);
    await session.send('Runtime.evaluate', { expression: axe });
    const { result } = await session.send('Runtime.evaluate', {
      expression: `axe.run(document).then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 120)).join(' | '))))`,
      awaitPromise: true,
    });
    expect(JSON.parse(String(result.value))).toEqual([]);
    const overflow: number = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
