// Checks the README: the two commands, the policies, the settings, the browser's code, the audit line.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { checkCommand } from '../../src/commands/check.ts';
import { explainCommand } from '../../src/commands/explain.ts';
import { serveCommand } from '../../src/commands/serve.ts';
import { loadConfiguration } from '../../src/config/load-configuration.ts';
import { chromiumReason, hasChromium, launchChromium } from '../support/programs/chromium.ts';
import { runCommand } from '../support/programs/run-command.ts';
import { until } from '../support/until.ts';
import { startDatabrain } from './api/provocations.ts';
import { accessToken, startService } from './api/running-service.ts';
import { readDocument } from './settings-documents.ts';

const readme = readDocument('README.md');
const folder = mkdtempSync(join(tmpdir(), 'guest-token-readme-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The code block of this language that contains the text. */
function block(language: string, holding: string): string {
  const blocks = [...readme.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, name]) => name === language);
  const found = blocks.map(([, , code = '']) => code).filter((code) => code.includes(holding));
  if (found.length !== 1) throw new Error(`there are ${found.length} blocks of ${language} with ${holding}`);
  return found[0] ?? '';
}

describe('the first screen', () => {
  it.each([
    ['npm ci && npm run demo', 'demo'],
    ['npm ci && npm test', 'test'],
  ] as const)('has the existing command %s', (command, script) => {
    expect(block('sh', command)).toBe(`${command}\n`);
    expect(packageJson.scripts[script]).toMatch(/^(exec )?node /);
    expect(readme.slice(0, 2500)).toContain(command);
  });
});

describe('the path to production', () => {
  const lines = block('sh', 'DATABRAIN_API_KEY_FILE=').trim().split('\n');
  const settings = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const files = new Map([
    ['/run/secrets/api-key', 'b7f9c1d2-5b1e-4c38-9a42-6d0f3e7a1c55\n'],
    ['/etc/guest-token-proxy/policy.yaml', block('yaml', '# the data app that the key belongs to')],
  ]);

  it('has settings and a policy that the service accepts without a warning', () => {
    const { settings: loaded, policy } = loadConfiguration(settings, (path) => Buffer.from(files.get(path) ?? ''));
    expect(policy.policy.lint).toEqual([]);
    expect(loaded.insecure).toEqual([]);
    expect([...policy.policy.dataApps.keys()]).toEqual(['sales-dashboard']);
  });

  it('mounts every file that the settings name', () => {
    const run = block('sh', 'docker run');
    for (const path of files.keys()) expect(run).toContain(`:${path}:ro`);
  });

  it('runs the built program of a checkout without Docker, by commands that exist', () => {
    const paragraph = /^\*\*Without Docker\*\*.*$/m.exec(readme)?.[0] ?? '';
    const [install, ...runs] = [...paragraph.matchAll(/`(np[mx] [^`]+|node [^`]+)`/g)].map(([, command]) => command);
    const program = `node ${packageJson.bin['guest-token-proxy']}`;
    expect([install, ...runs]).toEqual([
      'npm ci && npm run build',
      `${program} ${checkCommand.name}`,
      `${program} ${serveCommand.name}`,
      `npx ${packageJson.name}`,
    ]);
    expect(packageJson.scripts).toHaveProperty('build');
  });
});

describe('the policy by example', () => {
  it('has the result of explain for the claims next to it', async () => {
    writeFileSync(join(folder, 'policy.yaml'), block('yaml', 'variables.isAdmin'));
    const claims = /--claims '(.*)'/.exec(block('sh', 'explain --claims'))?.[1] ?? '';
    const env = { POLICY_FILE: join(folder, 'policy.yaml') };
    const { exitCode, out } = await runCommand(explainCommand, ['--claims', claims, '--json'], { env });
    expect(exitCode).toBe(0);
    expect(out).toContain('"clientId"');
    expect(out).toContain('acme');
    expect(out).toContain('DE');
  });
});

describe.skipIf(!hasChromium)(`the code for the browser${chromiumReason}`, () => {
  it('shows a dashboard with a token from the service', async () => {
    const databrain = await startDatabrain();
    let html = '';
    const component = `customElements.define('dbn-dashboard', class extends HTMLElement {
      connectedCallback() { this.textContent = this.getAttribute('dashboard-id') + ' ' + this.getAttribute('token'); }
    });`;
    const pages = createServer(({ url }, response) => {
      const isScript = url === '/vendor/webcomponents.es.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html').end(isScript ? component : html);
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const pageUrl = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const service = await startService({ databrainUrl: databrain.url, settings: { CORS_ORIGINS: pageUrl } });
    const code = block('js', 'createGuestTokens').replaceAll(
      'https://tokens.example.com',
      `http://127.0.0.1:${service.port}`,
    );
    expect(code.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(5);
    html = `<!doctype html><link rel="icon" href="data:,"><div id="dashboard"></div>
      <script>const getAccessToken = async () => '${accessToken()}'</script><script type="module">${code}</script>`;

    const browser = await launchChromium();
    const page = await browser.newPage();
    await page.goto(pageUrl);
    await until(async () => (await page.innerText('body')).includes('sales-overview '));
    expect(await page.innerText('#dashboard')).toBe(`sales-overview ${databrain.requests[0]?.token}`);
    await browser.close();
    pages.close();
    await service.stop();
    await databrain.close();
  });
});

describe('the audit line', () => {
  it('has the members of a real one', async () => {
    const lines: string[] = [];
    const databrain = await startDatabrain();
    const service = await startService({ databrainUrl: databrain.url, log: (line) => void lines.push(line) });
    await service.send({ headers: { authorization: `Bearer ${accessToken()}` } });
    await service.stop();
    await databrain.close();
    const real = JSON.parse(lines.find((line) => line.includes('guest_token.issued')) ?? '{}') as object;
    const shown = JSON.parse(block('json', 'guest_token.issued')) as object;
    expect(Object.keys(shown)).toEqual(Object.keys(real));
  });
});
