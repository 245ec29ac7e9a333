// docker-compose.yml's sample app: the demo's page with a login without passwords, and a simulated Databrain. It has a
// separate API key, which opens nothing else. For tests only: everyone who can open the page can sign in as any user.
import { readFileSync } from 'node:fs';
import { salesEmbeds } from '../../demo/databrain/catalogue.ts';
import { startSimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { createExplainer } from '../../demo/explain-process.ts';
import { startPageServer } from '../../demo/page-server.ts';
import { createSampleLogin } from './login.ts';

const {
  PORT = '8000',
  DATABRAIN_PORT = '8090',
  PUBLIC_URL = 'https://localhost:8443',
  JWT_ISSUER = PUBLIC_URL,
  JWT_AUDIENCE = 'guest-token-proxy',
  SAMPLE_POLICY = 'demo/policy.yaml',
} = process.env;
const root = new URL('../../', import.meta.url);
const readText = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const databrain = await startSimulatedDatabrain({
  host: '0.0.0.0',
  port: Number(DATABRAIN_PORT),
  apiKeys: { 'sales-dashboard': readText('deploy/sample-app/api-key').trim() },
});
const login = createSampleLogin(JWT_ISSUER, JWT_AUDIENCE);
const policy = (): string => readText(SAMPLE_POLICY);
const page = await startPageServer({
  port: Number(PORT),
  publicUrl: PUBLIC_URL,
  proxyUrl: PUBLIC_URL,
  simulatedUrl: PUBLIC_URL,
  realApiUrl: undefined,
  received: () => databrain.requests,
  componentCalls: () => databrain.componentCalls,
  embedIds: salesEmbeds.map(({ embedId }) => embedId),
  login,
  keySet: login.keySet,
  explain: createExplainer(
    { node: process.execPath, root: root.pathname, env: { POLICY_FILE: SAMPLE_POLICY } },
    policy,
  ),
  policy,
});

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void Promise.all([page.close(), databrain.close()]));
