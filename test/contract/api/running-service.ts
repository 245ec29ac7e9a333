// Starts the real service on real sockets for the contract tests. Takes settings; returns ports and a function for
// requests.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildApp } from '../../../src/app.ts';
import { systemClock, type Clock } from '../../../src/clock.ts';
import { loadConfiguration } from '../../../src/config/load-configuration.ts';
import { readBrowserHelper, readOpenApiDocument } from '../../../src/shipped-files.ts';
import type { LogSink } from '../../../src/telemetry/log-writer.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { freePort } from '../../../demo/free-port.ts';
import { signToken } from '../../support/sign-token.ts';
import type { Observed } from './conformance.ts';

export const apiKey = 'b7f9c1d2-5b1e-4c38-9a42-6d0f3e7a1c55';
export const allowedOrigin = 'https://app.example.com';
export const cookieName = 'access';
const secret = 'the hmac secret of the contract tests: 32 bytes or more';
const issuer = 'https://login.example.com/';
const audience = 'https://api.example.com';

const policy = `
version: 1
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
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
`;

/** A token that the service accepts, unless `claims` change that. */
export function accessToken(claims: Readonly<Record<string, unknown>> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: issuer, aud: audience, sub: 'u1', org_id: 'acme', email_verified: true };
  return signToken('HS256', secret, { ...usual, iat: now - 10, exp: now + 600, ...claims });
}

export interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly listener?: 'public' | 'admin';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface RunningService {
  readonly port: number;
  readonly send: (options: RequestOptions) => Promise<Observed>;
  /** The routes that the public listener has registered, as `METHOD path`. */
  readonly routes: string;
  readonly stop: () => Promise<void>;
}

interface ServiceOptions {
  readonly databrainUrl: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Called with every log line. Default: nothing is logged. */
  readonly log?: (line: string) => void;
  /** Receives the text of the log instead. */
  readonly sink?: LogSink;
}

export async function startService({
  databrainUrl,
  settings = {},
  clock = systemClock,
  log,
  sink,
}: ServiceOptions): Promise<RunningService> {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-contract-'));
  writeFileSync(join(folder, 'policy.yaml'), policy);
  const configuration = loadConfiguration(
    {
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: String(await freePort()),
      JWT_ISSUER: issuer,
      JWT_AUDIENCE: audience,
      JWT_SECRET: secret,
      JWT_COOKIE_NAME: cookieName,
      CORS_ORIGINS: allowedOrigin,
      DATABRAIN_API_URL: databrainUrl,
      DATABRAIN_API_KEY: apiKey,
      POLICY_FILE: join(folder, 'policy.yaml'),
      TOKEN_REUSE: 'off',
      SHUTDOWN_DRAIN_SECONDS: '0',
      SHUTDOWN_GRACE_SECONDS: '2',
      ...settings,
    },
    (path) => readFileSync(path),
  );
  const logSink = sink ?? {
    write: (text: string, done: () => void) => {
      for (const line of text.split('\n').filter((one) => one !== '')) log?.(line);
      done();
    },
  };
  const level = log === undefined && sink === undefined ? 'silent' : 'info';
  const app = await buildApp({
    configuration,
    log: createLog({ level, sink: logSink, clock: systemClock }),
    clock,
    openApiDocument: readOpenApiDocument(),
    browserHelper: readBrowserHelper(),
  });
  const { port, adminPort } = await app.listen();
  return {
    port,
    send: (options) => send(options.listener === 'admin' ? (adminPort ?? 0) : port, options),
    routes: app.server.printRoutes({ commonPrefix: false }),
    stop: async () => {
      await app.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function send(
  port: number,
  { method = 'POST', path = '/guest-token', listener = 'public', headers, body }: RequestOptions,
): Promise<Observed> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { host: '127.0.0.1', port, method, path, headers: { ...length, ...headers }, agent: false };
    const call = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const given = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
        resolve({
          method,
          path,
          listener,
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(given),
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}
