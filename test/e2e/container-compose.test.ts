// docker-compose.yml: what it promises, and that its services work together with exactly the options that it gives them.
// No Compose is needed: its options are handed to the engine.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { settings, type Setting } from '../../src/config/settings.ts';
import { dockerOptionsOf, readComposeFile, type ComposeService } from '../support/compose-file.ts';
import { docker, engineTitle, imageOf, noEngine, startContainer, type Container } from '../support/docker.ts';

const compose = readComposeFile();
const { proxy, app } = compose.services;
if (proxy === undefined || app === undefined) throw new Error('docker-compose.yml has lost a service');

describe('docker-compose.yml', () => {
  it.each(Object.entries(compose.services))('gives %s nothing that it does not need', (_name, service) => {
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
    expect(service.restart).toBe('unless-stopped');
    for (const volume of service.volumes ?? []) expect(volume).toMatch(/:ro$/);
  });

  it('publishes on the loopback interface only', () => {
    const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    expect(published).not.toEqual([]);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('names only settings that exist, and secrets only as files', () => {
    const known = new Map<string, Setting>(settings.map((setting) => [setting.name, setting]));
    for (const [name, value] of Object.entries(proxy.environment)) {
      const setting = known.get(name.replace(/_FILE$/, '')) ?? known.get(name);
      expect(setting, name).toBeDefined();
      if (setting?.fromFile) expect(value).toMatch(/^\/run\/secrets\//);
      expect(name).not.toMatch(/^INSECURE_/);
    }
  });

  it('keeps the files of its secrets out of git', () => {
    for (const { file } of Object.values(compose.secrets)) {
      expect(spawnSync('git', ['check-ignore', '--quiet', file]).status, file).toBe(0);
    }
    const mounted = Object.values(compose.services).flatMap(({ secrets }) => secrets);
    expect([...new Set(mounted)]).toEqual(Object.keys(compose.secrets));
  });

  it('waits longer for the proxy to end than drain and grace take', () => {
    const { SHUTDOWN_DRAIN_SECONDS, SHUTDOWN_GRACE_SECONDS } = proxy.environment;
    const seconds = Number(SHUTDOWN_DRAIN_SECONDS) + Number(SHUTDOWN_GRACE_SECONDS);
    expect(Number(proxy.stop_grace_period.replace(/s$/, ''))).toBeGreaterThanOrEqual(seconds + 5);
  });
});

describe.skipIf(noEngine !== undefined)(engineTitle('the services of docker-compose.yml'), () => {
  /** Runs the health check that the file gives to the service, until it passes. */
  async function untilHealthy({ healthcheck }: ComposeService, container: Container): Promise<void> {
    const [form, ...check] = healthcheck.test;
    expect(form).toBe('CMD');
    for (const deadline = Date.now() + 40_000; ; await delay(250)) {
      const error = await docker('exec', container.id, ...check).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (error === undefined) return;
      if (Date.now() > deadline) throw new Error(`not healthy:\n${await container.logs()}`, { cause: error });
    }
  }

  /** What a browser on the app's page does, run in the app's container: nothing else is in its network. */
  const signInAndLook = `
    const json = async (...request) => (await fetch(...request)).json();
    const { accessToken } = await json('http://127.0.0.1:8000/login?user=ada', { method: 'POST' });
    const answer = await fetch('http://127.0.0.1:8080/guest-token', {
      method: 'POST',
      headers: { authorization: 'Bearer ' + accessToken, origin: 'http://localhost:8000' },
    });
    const { token } = await answer.json();
    const dashboard = await json('http://127.0.0.1:8000/dashboard', { headers: { authorization: 'Bearer ' + token } });
    const allowedOrigin = answer.headers.get('access-control-allow-origin');
    console.log(JSON.stringify({ status: answer.status, allowedOrigin, dashboard }));
  `;

  it('become healthy together and show a signed-in user the rows of their own tenant', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'guest-token-proxy-compose-'));
    const secretFile = join(folder, 'databrain-api-key');
    await writeFile(secretFile, `${randomUUID()}\n`);
    try {
      const secretFiles = { 'databrain-api-key': secretFile };
      const [proxyImage, appImage] = [await imageOf('runtime'), await imageOf('demo')];
      await using proxyContainer = await startContainer(
        ...['--network', 'none'],
        ...dockerOptionsOf(proxy, secretFiles),
        proxyImage,
      );
      expect(app.network_mode).toBe('service:proxy');
      await using appContainer = await startContainer(
        ...['--network', `container:${proxyContainer.id}`],
        ...dockerOptionsOf(app, secretFiles),
        appImage,
      );
      await untilHealthy(app, appContainer);
      await untilHealthy(proxy, proxyContainer);

      const seen = await docker('exec', appContainer.id, 'node', '--input-type=module', '--eval', signInAndLook);

      expect(JSON.parse(seen)).toMatchObject({
        status: 200,
        allowedOrigin: 'http://localhost:8000',
        dashboard: { embedId: 'sales-overview', clientId: 'acme' },
      });

      await docker('kill', '--signal', 'TERM', appContainer.id);
      expect(await appContainer.exitCode(10_000)).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 600_000);
});
