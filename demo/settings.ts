// The demo's settings: for the simulation or, with an API key in .env, for the real API.
import { parseEnv } from 'node:util';

type Environment = Readonly<Record<string, string | undefined>>;

export interface DemoSettings {
  /** Set by `DATABRAIN_API_KEY` (or its `_FILE`): the address of the real API. */
  readonly realApiUrl: string | undefined;
  /** The operator's own policy, for the real API only. */
  readonly policyFile: string | undefined;
  readonly ports: { readonly page: number; readonly proxy: number; readonly admin: number; readonly databrain: number };
  /** The environment of the proxy's process, without settings of the proxy, which the demo creates. */
  readonly inherited: Readonly<Record<string, string>>;
  /** Settings of the proxy from .env, for the real API only: its address and keys. */
  readonly upstream: Readonly<Record<string, string>>;
}

const settingOfProxy =
  /^(HOST|PORT|LOG_LEVEL|TRUST_PROXY|REDIS_URL(_FILE)?|(JWT|DATABRAIN|TOKEN|POLICY|RATE_LIMIT|ADMIN|CORS|SHUTDOWN|INSECURE|VAULT|DEMO|OTEL)_.*)$/;
const aboutUpstream = /^(DATABRAIN|VAULT)_|^INSECURE_DATABRAIN_HTTP$/;

const pick = (environment: Environment, wanted: (name: string) => boolean): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => wanted(entry[0]) && (entry[1] ?? '') !== '',
    ),
  );

function portFrom(environment: Environment, name: string, preferred: number): number {
  const text = environment[name] ?? '';
  const port = text === '' ? preferred : Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${name} is not a port: use 0 to 65535.`);
  return port;
}

/**
 * @param environment of the process; takes precedence over the file, as with `node --env-file`
 * @param envFile text of .env, if there is one
 */
export function readDemoSettings(environment: Environment, envFile: string | undefined): DemoSettings {
  const all: Environment = { ...(envFile === undefined ? {} : parseEnv(envFile)), ...environment };
  const isReal = ['', '_FILE', '_VAULT'].some((suffix) => (all[`DATABRAIN_API_KEY${suffix}`] ?? '') !== '');
  const url = all['DATABRAIN_API_URL'] ?? '';
  const policyFile = all['POLICY_FILE'] ?? '';
  return {
    realApiUrl: isReal ? (url === '' ? 'https://api.usedatabrain.com' : url) : undefined,
    policyFile: isReal && policyFile !== '' ? policyFile : undefined,
    ports: {
      page: portFrom(all, 'DEMO_PAGE_PORT', 8000),
      proxy: portFrom(all, 'DEMO_PROXY_PORT', 8080),
      admin: portFrom(all, 'DEMO_ADMIN_PORT', 9090),
      databrain: portFrom(all, 'DEMO_DATABRAIN_PORT', 8090),
    },
    inherited: pick(environment, (name) => !settingOfProxy.test(name)),
    upstream: isReal ? pick(all, (name) => aboutUpstream.test(name)) : {},
  };
}
