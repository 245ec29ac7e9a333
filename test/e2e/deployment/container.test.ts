// The image on a real engine, with all restrictions and secrets as files; and its content.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { freePort } from '../../../demo/free-port.ts';
import {
  docker,
  engineReason,
  filesIn,
  imageOf,
  hasEngine,
  startContainer,
  type Container,
} from '../../support/programs/docker.ts';
import { signToken } from '../../support/sign-token.ts';

const megabyte = 1024 * 1024;

const policy = `
version: 1
dataApps:
  customer-portal:
    default: true
    expiresIn: 1h
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
`;

/** The options that docs/deployment.md recommends for every container. */
const hardened = [
  ['--read-only'],
  ['--cap-drop', 'ALL'],
  ['--security-opt', 'no-new-privileges'],
  ['--user', '65532:65532'],
  ['--memory', '256m'],
  ['--pids-limit', '64'],
].flat();

describe.skipIf(!hasEngine)(`the container image${engineReason}`, () => {
  const apiKey = randomUUID();
  const jwtSecret = randomBytes(48).toString('base64url');
  let image: string;
  let folder: string;
  let databrain: SimulatedDatabrain;
  let port: number;
  let proxy: Container;

  beforeAll(async () => {
    image = await imageOf('runtime');
    databrain = await startSimulatedDatabrain({ apiKeys: { 'customer-portal': apiKey } });
    folder = await mkdtemp(join(tmpdir(), 'guest-token-proxy-container-'));
    await writeFile(join(folder, 'policy.yaml'), policy);
    await writeFile(join(folder, 'api-key'), `${apiKey}\n`);
    await writeFile(join(folder, 'jwt-secret'), `${jwtSecret}\n`);
    port = await freePort();
    proxy = await startProxy(port, { LOG_LEVEL: 'trace' });
    await proxy.untilHealthy(60_000);
  }, 600_000);

  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await databrain.close();
    await rm(folder, { recursive: true });
  });

  const settings = (listenOn: number, more: Readonly<Record<string, string>> = {}): string[] =>
    Object.entries({
      HOST: '127.0.0.1',
      PORT: String(listenOn),
      ADMIN_PORT: '0',
      JWT_ISSUER: 'https://login.example.com/',
      JWT_AUDIENCE: 'guest-token-proxy',
      JWT_SECRET_FILE: '/run/secrets/jwt-secret',
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY_FILE: '/run/secrets/api-key',
      POLICY_FILE: '/etc/guest-token-proxy/policy.yaml',
      SHUTDOWN_DRAIN_SECONDS: '1',
      SHUTDOWN_GRACE_SECONDS: '2',
      ...more,
    }).flatMap(([name, value]) => ['--env', `${name}=${value}`]);

  const files = (): string[] =>
    [
      [`${folder}/policy.yaml`, '/etc/guest-token-proxy/policy.yaml'],
      [`${folder}/api-key`, '/run/secrets/api-key'],
      [`${folder}/jwt-secret`, '/run/secrets/jwt-secret'],
    ].flatMap(([source, target]) => ['--volume', `${source}:${target}:ro`]);

  const startProxy = (listenOn: number, more?: Readonly<Record<string, string>>): Promise<Container> =>
    startContainer(
      ...['--network', 'host', '--health-interval', '1s', ...hardened],
      ...settings(listenOn, more),
      ...files(),
      image,
    );

  const userToken = (): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://login.example.com/', aud: 'guest-token-proxy', sub: 'ada', org_id: 'acme' };
    return signToken('HS256', jwtSecret, { ...claims, iat: now, exp: now + 300 });
  };

  it('becomes healthy as a read-only container without privileges and capabilities, and mints a guest token', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/guest-token`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${userToken()}` },
    });

    expect((await proxy.state()).Health?.Status).toBe('healthy');
    expect(await response.json()).toEqual({ token: databrain.requests.at(-1)?.token });
    expect(response.status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toEqual({
      clientId: 'acme',
      dataAppName: 'customer-portal',
      params: { userIdentifier: 'ada', allowedEmbeds: ['sales-overview'] },
      expiryTime: 3_600_000,
    });
  });

  it('serves its own openapi.yaml', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/openapi.yaml`);

    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(/^openapi: 3\.1/m);
  });

  it('exits with 0 after SIGTERM, within the drain and grace time', async () => {
    const ownPort = await freePort();
    await using draining = await startProxy(ownPort);
    await draining.untilHealthy(60_000);

    await docker('kill', '--signal', 'TERM', draining.id);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const readiness = await fetch(`http://127.0.0.1:${ownPort}/readyz`);

    expect(readiness.status).toBe(503);
    expect(await draining.exitCode(5_000)).toBe(0);
    expect((await draining.state()).OOMKilled).toBe(false);
  }, 90_000);

  it('exits with 78 and names the setting before it opens a socket, if its configuration is invalid', async () => {
    await using misconfigured = await startProxy(await freePort(), {
      JWT_AUDIENCE: '',
      DATABRAIN_API_URL: 'http://10.1.2.3',
    });

    expect(await misconfigured.exitCode(20_000)).toBe(78);
    const lines = (await misconfigured.logs()).split('\n');
    expect(lines.filter((line) => line.includes('JWT_AUDIENCE'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('DATABRAIN_API_URL'))).toHaveLength(1);
  });

  it('keeps secrets out of the container’s settings and log', async () => {
    const token = userToken();
    const response = await fetch(`http://127.0.0.1:${port}/guest-token`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
    });
    const { token: guestToken } = (await response.json()) as { token: string };

    const log = await proxy.logs();
    expect(log).toContain('"ada"');
    const seen = [log, await docker('inspect', proxy.id), await docker('history', '--no-trunc', image)].join('\n');

    for (const secret of [apiKey, jwtSecret, token, guestToken]) expect(seen.includes(secret)).toBe(false);
  });

  it('starts node directly as a numeric user other than root, without a shell', async () => {
    const { Config } = (JSON.parse(await docker('image', 'inspect', image)) as [{ Config: ImageConfig }])[0];

    expect(Config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(Config.Entrypoint).toEqual([
      ...['node', '--permission', '--allow-fs-read=*'],
      ...['--allow-fs-write=/var/lib/guest-token-proxy/policies/*', '--disable-proto=delete'],
      '/app/dist/main.js',
    ]);
    expect(Config.Cmd).toEqual(['serve']);
    expect(Config.Healthcheck.Test).toEqual(['CMD', 'node', '/app/dist/main.js', 'healthcheck']);
    expect(Object.keys(Config.ExposedPorts).sort()).toEqual(['8080/tcp', '9090/tcp']);
    expect([...Config.Env].sort()).toEqual(['NODE_ENV=production', 'PATH=/usr/local/bin']);
    expect(Config.Labels['org.opencontainers.image.licenses']).toBe('MIT');
  });

  it('contains only node, its libraries and the service', async () => {
    const names = await filesIn(image);

    const own = names.filter((name) => name.startsWith('app/'));
    expect(own.filter((name) => !name.startsWith('app/dist/'))).toEqual([
      'app/LICENSE',
      'app/guest-token.js',
      'app/openapi.yaml',
      'app/policy.schema.json',
    ]);
    expect(own).toEqual(expect.arrayContaining(['app/dist/main.js', 'app/dist/licenses.txt']));
    expect(
      own.filter(
        (name) => !/\.(js|json|yaml)$|LICENSE$|^app\/dist\/(licenses\.txt|playground\/[a-z-]+\.(html|css))$/.test(name),
      ),
    ).toEqual([]);
    // The engine itself adds dev/, etc/hosts and the like to every container.
    const others = names.filter(
      (name) => !/^(app|dev|proc|sys)\/|^etc\/(hosts|hostname|resolv\.conf|mtab)$|^\.dockerenv$/.test(name),
    );
    expect(others.filter((name) => !/^(usr\/)?lib(64)?\/.*\.so(\.\d+)*$/.test(name)).sort()).toEqual([
      'etc/group',
      'etc/passwd',
      'usr/local/bin/node',
    ]);
  });

  it('adds at most 6 MB to node and its libraries', async () => {
    const layers = await docker('history', '--human=false', '--format', '{{.Size}}', image);
    const sizes = layers
      .split('\n')
      .map(Number)
      .sort((a, b) => b - a);

    const [node = 0, ...rest] = sizes;
    expect(node).toBeLessThan(180 * megabyte);
    expect(rest.reduce((sum, size) => sum + size, 0)).toBeLessThan(6 * megabyte);
  });
});

interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}
