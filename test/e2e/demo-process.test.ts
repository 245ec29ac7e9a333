// `npm run demo` as a process: the printed command works, and no process remains after it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { isClosed, startDemo, type DemoProcess } from '../support/programs/demo-process.ts';
import { needs } from '../support/vitest/needs.ts';
import { sentenceOf } from '../support/sentences/name-sentence.ts';

const hasCurl = spawnSync('curl', ['--version']).status === 0;
/** The test finds the proxy's process in /proc. */
const isLinux = process.platform === 'linux';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const running: DemoProcess[] = [];
const cleanUp: (() => unknown)[] = [];

function start(...how: Parameters<typeof startDemo>): DemoProcess {
  const demo = startDemo(...how);
  running.push(demo);
  return demo;
}

afterEach(async () => {
  for (const { child } of running) child.kill('SIGTERM');
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  await Promise.all(cleanUp.splice(0).map((step) => step()));
});

/** Sends the same request as the printed curl line. */
async function sendPrinted(demo: DemoProcess): Promise<{ readonly token?: string }> {
  const authorization = /Authorization: (Bearer [\w.-]+)/.exec(await demo.line('curl '))?.[1] ?? '';
  const response = await fetch(`${await demo.proxyUrl()}/guest-token`, { method: 'POST', headers: { authorization } });
  return (await response.json()) as { token?: string };
}

describe('the demo', () => {
  it.skipIf(!hasCurl)(`prints a curl command that returns a guest token${needs(hasCurl, 'curl')}`, async () => {
    const line = await start().line('curl ');
    const output = execFileSync('sh', ['-c', line], { encoding: 'utf8' });
    expect((JSON.parse(output) as { token: string }).token).toMatch(uuid);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends with exit code 0 on %s, with all its processes',
    async (signal) => {
      const demo = start();
      const urls = [await demo.pageUrl(), await demo.proxyUrl(), (await demo.line('Databrain')).split(/\s+/)[1] ?? ''];
      await demo.line('curl ');
      const startedAt = Date.now();
      demo.child.kill(signal);
      expect(await demo.ended).toBe(0);
      expect(Date.now() - startedAt).toBeLessThan(2_000);
      for (const url of urls) expect(await isClosed(url, 0)).toBe(true);
    },
  );

  it('ends with exit code 0 if it is interrupted during its start', async () => {
    const demo = start();
    await new Promise((resolve) => setTimeout(resolve, 400));
    demo.child.kill('SIGINT');
    expect([0, 'SIGINT']).toContain(await demo.ended);
    expect(demo.output()).not.toContain('curl ');
  });

  it.each([
    ['Ctrl-C reaches every process of the terminal', 'SIGINT', (pid: number) => -pid],
    ['only npm gets SIGTERM', 'SIGTERM', (pid: number) => pid],
  ] as const)('leaves no process running if it was started by npm and %s', async (_title, signal, target) => {
    const demo = start({}, ['npm', 'run', 'demo']);
    const urls = [await demo.pageUrl(), await demo.proxyUrl()];
    await demo.line('curl ');
    process.kill(target(demo.child.pid ?? 0), signal);
    for (const url of urls) expect(await isClosed(url, 2_000)).toBe(true);
    expect(await demo.ended).toBe(0);
  });

  it('stops the proxy when it is killed', async () => {
    const demo = start();
    const proxyUrl = await demo.proxyUrl();
    await demo.line('curl ');
    demo.child.kill('SIGKILL');
    expect(await demo.ended).toBe('SIGKILL');
    expect(await isClosed(proxyUrl, 3_000)).toBe(true);
  });

  it.skipIf(!isLinux)(
    `ends with exit code 1 and reports the cause when the proxy dies${needs(isLinux, 'Linux')}`,
    async () => {
      const demo = start();
      const pageUrl = await demo.pageUrl();
      await demo.line('curl ');
      const { pid } = demo.child;
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      expect(children).toHaveLength(1);
      process.kill(Number(children[0]), 'SIGKILL');
      expect(await demo.ended).toBe(1);
      expect(demo.output()).toContain(sentenceOf('proxyExited', 'signal SIGKILL'));
      expect(await isClosed(pageUrl, 0)).toBe(true);
    },
  );

  it('uses other ports if the usual ones are in use, and ignores settings of a real deployment in the environment', async () => {
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
    cleanUp.push(() => occupant.close());
    const address = occupant.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';
    const demo = start({
      DEMO_PAGE_PORT: port,
      DEMO_PROXY_PORT: port,
      DEMO_DATABRAIN_PORT: port,
      JWT_SECRET_FILE: '/nowhere',
      JWT_ISSUER: 'x',
      PORT: 'x',
      POLICY_FILE: '/nowhere',
      TOKEN_X: '1',
    });
    expect((await sendPrinted(demo)).token).toMatch(uuid);
    expect(await demo.pageUrl()).not.toContain(`:${port}`);
  });

  it('names an invalid port setting', async () => {
    const demo = start({ DEMO_PAGE_PORT: 'eighty' });
    expect(await demo.ended).toBe(1);
    expect(demo.output()).toContain('DEMO_PAGE_PORT is not a port');
  });
});

describe('the demo with an API key in .env', () => {
  const apiKey = 'f0b7c2de-5a44-4f0e-8a0b-9d3f6f2f8a11';

  async function realApi(dataApp: string): Promise<SimulatedDatabrain> {
    const embeds = { [dataApp]: [{ embedId: 'embed-1', dashboardId: 'd1', metricIds: ['m1'] }] };
    const api = await startSimulatedDatabrain({ apiKeys: { [dataApp]: apiKey }, embeds });
    cleanUp.push(api.close);
    return api;
  }

  function envFile(...lines: string[]): string {
    const folder = mkdtempSync(join(tmpdir(), 'demo-env-'));
    cleanUp.push(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, '.env'), [`DATABRAIN_API_KEY=${apiKey}`, ...lines, ''].join('\n'));
    return join(folder, '.env');
  }

  it('uses the real API with a policy for the data app of the key, and prints both', async () => {
    const api = await realApi('Customer Portal Analytics');
    const demo = start({ DEMO_ENV_FILE: envFile(`DATABRAIN_API_URL=${api.url}`) });
    const { token } = await sendPrinted(demo);
    expect(api.requests.at(-1)).toMatchObject({ token, status: 200 });
    expect(api.requests.at(-1)?.body).toEqual({
      clientId: 'acme',
      dataAppName: 'Customer Portal Analytics',
      params: { userIdentifier: 'ada', allowedEmbeds: ['embed-1'] },
      expiryTime: 3_600_000,
    });
    expect(await demo.line('Databrain')).toContain(sentenceOf('realApi', api.url));
    const page = (await (await fetch(`${await demo.pageUrl()}/demo.json`)).json()) as Record<string, unknown>;
    expect(page['realApiUrl']).toBe(api.url);
    expect(page).not.toHaveProperty('simulatedUrl');
    expect(demo.output()).not.toContain(apiKey);
    expect(JSON.stringify(page)).not.toContain(apiKey);
  });

  it('uses the policy that .env names', async () => {
    const api = await realApi('portal');
    const file = envFile(`DATABRAIN_API_URL=${api.url}`, 'JWT_ISSUER=https://login.example.com');
    const policy = join(file, '..', 'own.yaml');
    writeFileSync(
      policy,
      'version: 1\ndataApps:\n  portal:\n    default: true\n    expiresIn: 5m\n    request:\n      clientId: ${claims.sub}\n',
    );
    writeFileSync(file, `${readFileSync(file, 'utf8')}POLICY_FILE=${policy}\n`);
    const demo = start({ DEMO_ENV_FILE: file });
    expect((await sendPrinted(demo)).token).toMatch(uuid);
    expect(api.requests.map(({ path }) => path)).toEqual(['/api/v2/guest-token/create']);
    expect(api.requests[0]?.body).toEqual({ clientId: 'ada', dataAppName: 'portal', expiryTime: 300_000 });
  });

  it('ends with exit code 1 and the proxy’s own message if a setting is refused', async () => {
    const demo = start({
      DEMO_ENV_FILE: envFile('DATABRAIN_API_URL=http://databrain.example', 'POLICY_FILE=demo/policy.yaml'),
    });
    expect(await demo.ended).toBe(1);
    expect(demo.output()).toContain('DATABRAIN_API_URL');
    expect(demo.output()).toContain(sentenceOf('proxyExitedAtStart', 'exit code 78'));
    expect(demo.output()).not.toContain(apiKey);
  });
});
