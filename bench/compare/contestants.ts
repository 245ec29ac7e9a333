// The servers that are compared. Each is a separate process on one core, started for one algorithm, with or without
// reuse.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../demo/free-port.ts';
import type { SigningKeys } from './signing-keys.ts';
import { salesPolicyWith } from '../../test/support/sales-policy.ts';

export interface Circumstances {
  readonly algorithm: 'RS256' | 'HS256';
  readonly reuse: boolean;
  readonly keys: SigningKeys;
  readonly upstreamUrl: string;
  /** A folder for configuration files. */
  readonly folder: string;
  readonly extraCa?: string;
  /** Further settings; only guest-token-proxy reads them. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Running {
  readonly port: number;
  /** CPU time of all threads so far, in nanoseconds. */
  readonly cpuNs: () => number;
  readonly rssMiB: () => number;
  readonly stop: () => Promise<void>;
}

export interface Contestant {
  readonly name: string;
  /** Undefined: it can be started. */
  readonly missing: () => string | undefined;
  readonly start: (circumstances: Circumstances) => Promise<Running>;
  /** It accepts every request, so its refusals are not checked. */
  readonly refusesNobody?: true;
  /** Calls the upstream for every request, whatever `reuse` says. */
  readonly neverReuses?: true;
}

const has = (program: string): boolean => spawnSync(program, ['-v']).error === undefined;
/** The server has the first core, load and upstream the second. */
const pinned = (command: readonly string[]): readonly string[] =>
  has('taskset') ? ['taskset', '-c', '0', ...command] : command;

async function run(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  port: number,
): Promise<Running> {
  const [program = '', ...args] = pinned(command);
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Read the log and discard it, as a container's log driver would read it.
  child.stdout.resume();
  const accepts = async (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status !== 503,
      () => false,
    );
  for (let tries = 0; !(await accepts()); tries += 1) {
    if (child.exitCode !== null || tries > 400) throw new Error(`${args.join(' ')} does not answer`);
    await delay(25);
  }
  return { port, cpuNs: () => cpuNs(child), rssMiB: () => rssMiB(child), stop: () => stop(child) };
}

function cpuNs({ pid = 0 }: ChildProcess): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks)
    .map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, ns) => sum + ns, 0);
}

const rssMiB = ({ pid = 0 }: ChildProcess): number =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

const node = (file: string) => async (circumstances: Circumstances) => {
  const port = await freePort();
  const { algorithm, keys, upstreamUrl, reuse, extraCa } = circumstances;
  return run(
    [process.execPath, file],
    {
      PORT: String(port),
      JWT_KEY: algorithm === 'RS256' ? keys.publicPem : keys.secret,
      JWT_ALGORITHM: algorithm,
      DATABRAIN_API_URL: upstreamUrl,
      DATABRAIN_API_KEY: randomUUID(),
      REUSE: reuse ? '1' : '0',
      NODE_EXTRA_CA_CERTS: extraCa,
    },
    port,
  );
};

const policy = salesPolicyWith({ userIdentifier: '${claims.sub}' });

export async function startOurs(circumstances: Circumstances): Promise<Running> {
  const { algorithm, keys, upstreamUrl, reuse, folder, extraCa, environment } = circumstances;
  const port = await freePort();
  writeFileSync(`${folder}/policy.yaml`, policy);
  return run(
    [process.execPath, 'dist/main.js', 'serve'],
    {
      HOST: '127.0.0.1',
      PORT: String(port),
      ADMIN_PORT: '0',
      JWT_ISSUER: 'https://bench.example',
      JWT_AUDIENCE: 'bench',
      JWT_ALGORITHMS: algorithm,
      ...(algorithm === 'RS256' ? { JWT_PUBLIC_KEY: keys.publicPem } : { JWT_SECRET: keys.secret }),
      CORS_ORIGINS: 'https://app.example.com',
      DATABRAIN_API_URL: upstreamUrl,
      DATABRAIN_API_KEY: randomUUID(),
      POLICY_FILE: `${folder}/policy.yaml`,
      TOKEN_REUSE: reuse ? 'user' : 'off',
      RATE_LIMIT_USER_MAX: '1000000',
      RATE_LIMIT_ADDRESS_MAX: '10000000',
      ...environment,
      NODE_EXTRA_CA_CERTS: extraCa,
    },
    port,
  );
}

async function startHaproxy({ algorithm, keys, upstreamUrl, folder, extraCa }: Circumstances): Promise<Running> {
  const port = await freePort();
  writeFileSync(`${folder}/jwt.pem`, keys.publicPem);
  const key = algorithm === 'RS256' ? `${folder}/jwt.pem` : keys.secret;
  const claim = (name: string, type = ''): string => `var(txn.token),jwt_payload_query('$.${name}'${type})`;
  const configuration = `global
  nbthread 1
  maxconn 4096
  log stdout format raw local0 info
defaults
  mode http
  log global
  timeout connect 3s
  timeout client 75s
  timeout server 8s
frontend public
  bind 127.0.0.1:${port}
  log-format "%ci %r %ST %[var(txn.sub)]"
  http-request return status 200 if { path /readyz }
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
  http-request set-var(txn.now) date()
  http-request set-var(txn.exp) ${claim('exp', ",'int'")}
  http-request set-var(txn.sub) ${claim('sub')}
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${algorithm} }
  http-request deny deny_status 401 unless { var(txn.token),jwt_verify(txn.alg,"${key}") -m int 1 }
  http-request deny deny_status 401 unless { ${claim('iss')} -m str https://bench.example }
  http-request deny deny_status 401 unless { ${claim('aud')} -m str bench }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request set-header x-user %[var(txn.sub)]
  http-request set-header authorization "Bearer ${randomUUID()}"
  http-request set-path /api/v2/guest-token/create
  default_backend databrain
backend databrain
  http-reuse always
  server databrain ${new URL(upstreamUrl).host}${extraCa === undefined ? '' : ` ssl verify required ca-file ${extraCa}`}
`;
  writeFileSync(`${folder}/haproxy.cfg`, configuration);
  return run(['haproxy', '-db', '-f', `${folder}/haproxy.cfg`], {}, port);
}

const always = (): undefined => undefined;
const programs = 'bench/compare/programs';

export const ours = 'guest-token-proxy';

/** In the order of the table's columns; ratios are against the ones before ours. */
export const contestants: readonly Contestant[] = [
  {
    name: 'HAProxy',
    missing: () => (has('haproxy') ? undefined : 'haproxy is not installed'),
    start: startHaproxy,
    neverReuses: true,
  },
  { name: 'empty Fastify', missing: always, start: node(`${programs}/empty-fastify.js`), refusesNobody: true },
  { name: 'plain Fastify', missing: always, start: node(`${programs}/plain-fastify.js`) },
  { name: 'Express', missing: always, start: node(`${programs}/vendor-express.js`) },
  { name: ours, missing: always, start: startOurs },
];
