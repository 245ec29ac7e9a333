// docker-compose.yml: its content, and that its services start in a real engine and show a signed-in user the rows of
// their own tenant, in a real browser, over TLS.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settingTable, type Setting } from '../../../src/config/settings.ts';
import { chromiumReason, hasChromium, launchChromium } from '../../support/programs/chromium.ts';
import { proxySettings, readComposeFile, sampleVariables } from '../../support/programs/compose-file.ts';
import { composeReason, hasCompose, imageOf, runCompose } from '../../support/programs/docker.ts';
import { pageTexts } from '../../support/sentences/page-texts.ts';

const compose = readComposeFile();
const { proxy, app, haproxy } = compose.services;
if (proxy === undefined || app === undefined || haproxy === undefined)
  throw new Error('docker-compose.yml has lost a service');

describe('docker-compose.yml', () => {
  it.each(Object.entries(compose.services))('gives %s only what it needs', (_name, service) => {
    expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service).not.toHaveProperty('privileged');
    expect(service).not.toHaveProperty('cap_add');
    expect(service.memswap_limit).toBe(service.mem_limit);
    expect(service.mem_limit).toMatch(/^\d+m$/);
    expect(service.cpus).toBeLessThanOrEqual(1);
    expect(service.pids_limit).toBeLessThanOrEqual(64);
    expect(service.restart).toMatch(/^(unless-stopped|no)$/);
    for (const volume of service.volumes ?? []) expect(volume).toMatch(/:ro$|^sample-tls:\/tls$/);
  });

  it('publishes TLS only, by default on the loopback interface', () => {
    const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    expect(published).toEqual(['127.0.0.1:8443:8443']);
    expect(compose.networks['store']).toMatchObject({ internal: true });
  });

  it('does not start without an issuer, and passes every setting of .env to the proxy', () => {
    expect(() => readComposeFile({})).toThrow(/JWT_ISSUER/);
    const own = readComposeFile({ JWT_ISSUER: 'https://login.example.com/' }).services['proxy'];
    expect(own?.env_file).toEqual([{ path: '.env', format: 'raw' }]);
  });

  it('keeps the sample app and its settings separate from the proxy’s', () => {
    const own = readComposeFile({ JWT_ISSUER: 'https://login.example.com/' });
    for (const name of ['app', 'certificate']) expect(own.services[name]?.profiles, name).toEqual(['sample']);
    for (const name of ['check', 'proxy', 'haproxy', 'redis'])
      expect(own.services[name]?.profiles, name).toBeUndefined();
    for (const name of Object.keys(own.services).filter((one) => one !== 'check' && one !== 'proxy'))
      expect(own.services[name]?.secrets, name).toBeUndefined();
    const values = Object.values(own.services['proxy']?.environment ?? {});
    expect(values.filter((value) => /localhost|127\.0\.0\.1|sample/.test(value))).toEqual([]);
    expect(sampleVariables['MOUNT_API_KEY']).toMatch(/^\.\/deploy\/sample-app\//);
  });

  it('has only existing settings, and secrets only as files', () => {
    const known = new Map<string, Setting>(settingTable.map((setting) => [setting.name, setting]));
    for (const [name, value] of Object.entries(proxy.environment ?? {})) {
      const setting = known.get(name.replace(/_FILE$/, '')) ?? known.get(name);
      expect(setting, name).toBeDefined();
      if (name.endsWith('_API_KEY_FILE')) expect(value).toMatch(/^\/run\/secrets\//);
      expect(name).not.toMatch(/^INSECURE_/);
    }
  });

  it('keeps the files of secrets and certificates out of Git', () => {
    const own = readComposeFile({ JWT_ISSUER: 'https://login.example.com/' });
    for (const { file } of Object.values(own.secrets))
      expect(spawnSync('git', ['check-ignore', '--quiet', file]).status, file).toBe(0);
    expect(spawnSync('git', ['check-ignore', '--quiet', 'deploy/tls/localhost.pem']).status).toBe(0);
    expect(spawnSync('git', ['check-ignore', '--quiet', '.env']).status).toBe(0);
  });

  it('has a longer stop time than drain and grace', () => {
    const defaults = new Map<string, Setting>(settingTable.map((setting) => [setting.name, setting]));
    const seconds = ['SHUTDOWN_DRAIN_SECONDS', 'SHUTDOWN_GRACE_SECONDS'].map((name) =>
      Number(proxySettings()[name] ?? defaults.get(name)?.default),
    );
    const needed = seconds.reduce((sum, one) => sum + one, 0);
    expect(Number(proxy.stop_grace_period?.replace(/s$/, ''))).toBeGreaterThanOrEqual(needed + 5);
  });
});

/** Variables of this machine's Compose calls: the images under test, none pulled. */
const images = async (): Promise<Record<string, string>> => ({
  PROXY_IMAGE: await imageOf('runtime'),
  SAMPLE_IMAGE: await imageOf('demo'),
});

describe.skipIf(!hasCompose)(`docker compose up${composeReason}`, () => {
  const project = `guest-token-proxy-test-${process.pid}`;
  const sample = ['--project-name', project, '--env-file', 'deploy/sample-app/sample.env'];
  let variables: Record<string, string> = {};
  let started = { status: -1, output: '' };

  beforeAll(async () => {
    variables = await images();
    started = await runCompose([...sample, 'up', '--no-build', '--wait', '--wait-timeout', '120'], variables);
  }, 600_000);
  afterAll(async () => {
    await runCompose([...sample, 'down', '--volumes', '--timeout', '1'], variables);
  });

  it('starts proxy, Redis, HAProxy and the sample app, all healthy', async () => {
    const { output } = await runCompose(
      [...sample, 'ps', '--all', '--format', '{{.Service}} {{.State}} {{.Health}}'],
      variables,
    );
    const logs = started.status === 0 ? '' : (await runCompose([...sample, 'logs'], variables)).output;
    expect(started.status, `${started.output}${logs}`).toBe(0);
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => line.trim())
        .sort(),
    ).toEqual([
      'app running healthy',
      'certificate exited',
      'check exited',
      'haproxy running healthy',
      'proxy running healthy',
      'redis running healthy',
    ]);
  });

  it('connects the proxy to Redis', async () => {
    const look = `fetch('http://127.0.0.1:9090/metrics').then((answer) => answer.text()).then(console.log)`;
    const { output } = await runCompose([...sample, 'exec', '-T', 'proxy', 'node', '-e', look], variables);
    expect(output).toMatch(/^guest_token_redis_up 1$/m);
  });

  it.skipIf(!hasChromium)(`shows a signed-in user the rows of their own tenant${chromiumReason}`, async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      await page.goto('https://localhost:8443/');
      await page.getByRole('radio', { name: 'Ada' }).check({ force: true });
      await page.getByRole('button', { name: pageTexts.getToken }).click();
      await page.waitForSelector('#steps[aria-busy="false"]');
      expect((await page.locator('#verdict').innerText()).trim()).toBe(pageTexts.tokenGiven);
      expect((await page.locator('#dashboard .status').innerText()).trim()).toBe('Token accepted');
      const rows = await page.locator('#dashboard tbody tr').allInnerTexts();
      expect(rows.length).toBeGreaterThan(0);
      for (const row of rows) expect(row).toMatch(/^acme\s/);
    } finally {
      await browser.close();
    }
  });
});

describe.skipIf(!hasCompose)(`docker compose up proxy with missing settings${composeReason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-compose-'));
  const project = `guest-token-proxy-missing-${process.pid}`;
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('fails without an issuer before a container starts', async () => {
    const file = join(folder, 'empty.env');
    writeFileSync(file, '');
    const { status, output } = await runCompose(['--project-name', project, '--env-file', file, 'up', 'proxy'], {});
    expect(status).not.toBe(0);
    expect(output).toContain('JWT_ISSUER');
  });

  it('fails like any start, with all problems at once', async () => {
    const file = join(folder, 'settings.env');
    const given = { PROXY_ENV_FILE: file, MOUNT_API_KEY: './deploy/sample-app/api-key', ...(await images()) };
    copyFileSync('.env.example', file);
    const args = ['--project-name', project, '--env-file', file];
    const { status, output } = await runCompose([...args, 'up', '--no-build', 'proxy'], given);
    const logs = await runCompose([...args, 'logs', 'check'], given);
    const running = await runCompose([...args, 'ps', '--services', '--status', 'running', 'proxy'], given);
    await runCompose([...args, 'down', '--volumes', '--timeout', '1'], given);
    expect(status).not.toBe(0);
    expect(output).toContain('exit 78');
    expect(logs.output).toContain('JWT_ISSUER');
    expect(logs.output).toContain('JWT_AUDIENCE');
    expect(running.output.trim()).toBe('');
  }, 120_000);
});
