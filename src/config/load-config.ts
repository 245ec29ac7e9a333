// The environment in, one frozen Config out, or every problem at once. Pure but for reading the files it names.
// The policy is not read here: policy/ does that, with the limits found here.
import { loadIssuersFile } from '../authn/issuers-file.ts';
import { parseIssuer, type IssuerConfig } from '../authn/issuer.ts';
import { ConfigurationError, type Problem } from '../problem.ts';
import { isLoopback, readCorsOrigins, readDatabrainUrl } from './addresses.ts';
import { createReader, type Environment, type ReadFile, type Reader } from './environment.ts';
import { isUsableApiKey, type SecretSetting } from '../secrets/secret-setting.ts';
import { readTrustProxy } from './trust-proxy.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface Config {
  readonly listen: { readonly host: string; readonly port: number };
  /** Undefined: the admin listener is off. */
  readonly admin?: { readonly host: string; readonly port: number };
  readonly logLevel: (typeof logLevels)[number];
  readonly trustProxy: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly issuers: readonly IssuerConfig[];
  /** The single issuer's key, if it may change with a file. */
  readonly issuerKey?: SecretSetting;
  readonly cookieName?: string;
  readonly databrain: {
    readonly url: string;
    readonly timeoutMs: number;
    readonly deadlineMs: number;
    readonly maxRetries: number;
  };
  readonly apiKeys: readonly SecretSetting[];
  readonly policyFile: string;
  readonly policyShadowFile?: string;
  readonly policyTestFiles: readonly string[];
  readonly reuse: {
    readonly mode: 'user' | 'off';
    readonly minRemainingPercent: number;
    readonly maxEntries: number;
  };
  readonly maxLifetimeSeconds: number;
  readonly userLimit: RateLimit;
  readonly addressLimit: RateLimit;
  readonly redisUrl?: SecretSetting;
  readonly shutdown: { readonly drainSeconds: number; readonly graceSeconds: number };
  /** Names of the settings in force that lower the guard. */
  readonly insecure: readonly string[];
}

export interface RateLimit {
  readonly max: number;
  readonly windowSeconds: number;
}

const day = 86_400;

function readListen(reader: Reader): Pick<Config, 'listen' | 'admin'> {
  const host = reader.text('HOST') ?? '';
  const port = reader.integer('PORT', 0, 65_535) ?? 0;
  const adminHost = reader.text('ADMIN_HOST') ?? '';
  const adminPort = reader.integer('ADMIN_PORT', 0, 65_535) ?? 0;
  if (adminPort === 0) return { listen: { host, port } };
  if (adminPort === port) {
    reader.report('ADMIN_PORT', 'is the public PORT too', 'Use another port; the admin listener must never be public');
  }
  return { listen: { host, port }, admin: { host: adminHost, port: adminPort } };
}

/** RFC 9110 §5.6.2 token characters, as RFC 6265 asks of cookie names. */
const cookieName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

function readCookieName(reader: Reader): string | undefined {
  const name = reader.text('JWT_COOKIE_NAME');
  if (name === undefined || cookieName.test(name)) return name;
  return reader.report('JWT_COOKIE_NAME', 'is not a cookie name', 'Use letters, digits, - and _');
}

function readApiKeys(reader: Reader): readonly SecretSetting[] {
  const keys: SecretSetting[] = [];
  for (const name of ['DATABRAIN_API_KEY', ...reader.namedApiKeys()]) {
    const key = reader.fromFile(name);
    if (key === undefined) {
      const reported = reader.problems.some((problem) => problem.where === name || problem.where === `${name}_FILE`);
      if (!reported) reader.report(name, 'is not set', `Set ${name} or ${name}_FILE to the API key of the data app`);
    } else if (isUsableApiKey(key.value.reveal())) {
      keys.push(key);
    } else {
      reader.report(
        name,
        'has spaces, line breaks or other characters that no API key has',
        'Set the key alone, on one line',
      );
    }
  }
  return keys;
}

const singleIssuerVariables = [
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'JWT_ALGORITHMS',
  'JWT_SECRET',
  'JWT_SECRET_FILE',
  'JWT_PUBLIC_KEY',
  'JWT_PUBLIC_KEY_FILE',
  'JWT_JWKS_URL',
] as const;

function readIssuers(reader: Reader, readFile: ReadFile): Pick<Config, 'issuers' | 'issuerKey'> {
  const shared = {
    clockToleranceSeconds: reader.integer('JWT_CLOCK_TOLERANCE_SECONDS', 0, 120) ?? 0,
    maxLifetimeSeconds: reader.integer('JWT_MAX_LIFETIME_SECONDS', 1, 365 * day),
    allowMissingIssuer: reader.flag('INSECURE_JWT_ALLOW_MISSING_ISSUER'),
    allowMissingAudience: reader.flag('INSECURE_JWT_ALLOW_MISSING_AUDIENCE'),
  };
  const file = reader.text('JWT_ISSUERS_FILE');
  if (file === undefined) return readSingleIssuer(reader, shared);

  for (const name of singleIssuerVariables) {
    if (reader.raw(name) !== undefined) {
      reader.report(
        name,
        'is set, and JWT_ISSUERS_FILE too',
        `Move it into the issuers file or remove JWT_ISSUERS_FILE`,
      );
    }
  }
  return { issuers: [] };
}
