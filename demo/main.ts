// npm run demo: a simulated Databrain (or the real one), a login with a page, and the proxy between them.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensurePlayground } from '../scripts/build-playground.ts';
import { salesEmbeds } from './databrain/catalogue.ts';
import { startSimulatedDatabrain, type SimulatedDatabrain } from './databrain/start-simulated-databrain.ts';
import type { ComponentCall } from './databrain/component-api.ts';
import { createExplainer } from './explain-process.ts';
import { freePort } from './free-port.ts';
import { followLogLines, type LogLines } from './log-lines.ts';
import { createDemoLogin, demoUsers } from './login.ts';
import { startPageServer } from './page-server.ts';
import { startProxyProcess } from './proxy-process.ts';
import { listEmbeds, toPolicy } from './real-policy.ts';
import { readDemoSettings, type DemoSettings } from './settings.ts';

const root = resolve(import.meta.dirname, '..');
const host = '127.0.0.1';

/** Functions that stop what was started, in reverse order. */
const undo: (() => void | Promise<void>)[] = [];
let stopping: Promise<void> | undefined;

/** Stops everything that was started, once. */
const stop = (): Promise<void> =>
  (stopping ??= Promise.all(undo.toReversed().map(async (step) => step())).then(() => undefined));

async function leave(exitCode: number, message?: string): Promise<never> {
  if (message !== undefined) console.error(message);
  await stop();
  process.exit(exitCode);
}

function readEnvFile(): string | undefined {
  try {
    return readFileSync(resolve(root, process.env['DEMO_ENV_FILE'] ?? '.env'), 'utf8');
  } catch {
    return undefined;
  }
}

interface Upstream {
  readonly simulated: SimulatedDatabrain | undefined;
  readonly policyFile: string;
  /** Settings of the proxy. */
  readonly settings: Readonly<Record<string, string>>;
  /** For the terminal. */
  readonly lines: readonly string[];
}

async function simulate(ports: DemoSettings['ports']): Promise<Upstream> {
  const apiKey = randomUUID();
  const simulated = await startSimulatedDatabrain({
    port: await freePort(ports.databrain, host),
    apiKeys: { 'sales-dashboard': apiKey },
  });
  undo.push(simulated.close);
  return {
    simulated,
    policyFile: 'demo/policy.yaml',
    settings: { DATABRAIN_API_URL: simulated.url, DATABRAIN_API_KEY: apiKey },
    lines: [`Databrain  ${simulated.url}  (simulated)`],
  };
}

/** The operator's policy; otherwise one for the data app's embeds; otherwise the demo's policy. */
async function choosePolicy(
  apiUrl: string,
  { policyFile, upstream }: DemoSettings,
): Promise<readonly [string, string]> {
  if (policyFile !== undefined) return [policyFile, `Policy     ${policyFile}`];
  const keyFile = upstream['DATABRAIN_API_KEY_FILE'];
  const apiKey =
    upstream['DATABRAIN_API_KEY'] ?? (keyFile && readFileSync(resolve(root, keyFile), 'utf8').replace(/\r?\n$/, ''));
  const listing = apiKey ? await listEmbeds(apiUrl, apiKey) : undefined;
  if (listing === undefined) {
    const advice =
      'it must name your data app, or Databrain refuses the request; set POLICY_FILE in .env to use your own';
    return ['demo/policy.yaml', `Policy     demo/policy.yaml  (${advice})`];
  }
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-demo-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'policy.yaml');
  writeFileSync(path, toPolicy(listing), { mode: 0o600 });
  const what = `created for "${listing.dataAppName}" and its ${listing.embedIds.length} embed(s)`;
  return [path, `Policy     ${what}; set POLICY_FILE in .env to use your own`];
}

async function useRealApi(apiUrl: string, settings: DemoSettings): Promise<Upstream> {
  const [policyFile, policyLine] = await choosePolicy(apiUrl, settings);
  return {
    simulated: undefined,
    policyFile,
    settings: settings.upstream,
    lines: [`Databrain  ${apiUrl}  (the real API, with the key of DATABRAIN_API_KEY)`, policyLine],
  };
}

async function run(): Promise<void> {
  const settings = readDemoSettings(process.env, readEnvFile());
  const { realApiUrl, ports, inherited } = settings;
  const login = createDemoLogin();
  const upstream = await (realApiUrl === undefined ? simulate(ports) : useRealApi(realApiUrl, settings));
  const { simulated, policyFile } = upstream;

  const proxyUrl = `http://${host}:${await freePort(ports.proxy, host)}`;
  const adminUrl = `http://${host}:${await freePort(ports.admin, host)}`;
  await ensurePlayground(resolve(root, 'dist/playground'));
  const policy = (): string => readFileSync(resolve(root, policyFile), 'utf8');
  const explainOptions = { node: process.execPath, root, env: { ...inherited, POLICY_FILE: policyFile } };
  /** Of the proxy, which starts after the page. */
  const log: { lines?: LogLines } = {};
  const page = await startPageServer({
    port: await freePort(ports.page, host),
    proxyUrl,
    simulatedUrl: simulated?.url,
    realApiUrl,
    received: () => simulated?.requests ?? [],
    componentCalls: simulated && ((): readonly ComponentCall[] => simulated.componentCalls),
    auditOf: (requestId) => log.lines?.auditOf(requestId),
    embedIds: salesEmbeds.map(({ embedId }) => embedId),
    login,
    explain: createExplainer(explainOptions, policy),
    policy,
  });
  undo.push(page.close);

  const proxy = startProxyProcess({
    node: process.execPath,
    root,
    url: proxyUrl,
    env: {
      ...inherited,
      ...upstream.settings,
      HOST: host,
      PORT: new URL(proxyUrl).port,
      ADMIN_PORT: new URL(adminUrl).port,
      ADMIN_PLAYGROUND: 'true',
      POLICY_FILE: policyFile,
      ...(simulated && { POLICY_TEST_FILES: 'demo/sales.policy-test.yaml' }),
      JWT_ISSUER: login.issuer,
      JWT_AUDIENCE: login.audience,
      JWT_ALGORITHMS: 'HS256',
      JWT_SECRET: login.secret,
      CORS_ORIGINS: `${page.url},http://localhost:${new URL(page.url).port}`,
      SHUTDOWN_DRAIN_SECONDS: '0',
      SHUTDOWN_GRACE_SECONDS: '1',
    },
  });
  undo.push(proxy.stop);
  log.lines = followLogLines(proxy.log, process.stdout);
  await proxy.ready();
  void proxy.ended.then((how) => {
    if (stopping === undefined) void leave(1, `The proxy exited (${how}). Its message is above.`);
  });

  const [user] = demoUsers;
  const accessToken = user === undefined ? '' : login.signIn(user);
  console.log(
    [
      '',
      'The demo is running. Open the page in a browser:',
      '',
      `Page       ${page.url}`,
      `Proxy      ${proxyUrl}/guest-token`,
      `Playground ${adminUrl}/playground/  (try policies and claims)`,
      ...upstream.lines,
      '',
      `Or request a guest token as ${user?.name ?? 'a user'} (${user?.title ?? ''}):`,
      '',
      `curl -sS -X POST ${proxyUrl}/guest-token -H 'Authorization: Bearer ${accessToken}'`,
      '',
      'Ctrl-C stops everything.',
      '',
    ].join('\n'),
  );
}

// npm and its shell may be ended by a signal that they do not pass on. Then the demo must stop itself.
const parent = process.ppid;
if (process.env['npm_lifecycle_event'] !== undefined)
  setInterval(() => {
    if (process.ppid !== parent) void leave(0);
  }, 200).unref();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void leave(0));
run().catch((error: unknown) => {
  if (stopping === undefined) void leave(1, error instanceof Error ? error.message : 'The demo could not start.');
});
