// Reads all settings from the environment: returns them frozen, or reports all problems at once. Reads the files that
// settings name, but not the policy.
import type { EgressSettings } from '../egress/egress.ts';
import type { TracingSettings } from '../telemetry/tracing.ts';
import { ConfigurationError, type Problem } from '../problem.ts';
import { parseRedisUrl, type RedisAddress } from '../redis/redis-address.ts';
import { readDatabrain, type DatabrainSettings } from './read-databrain.ts';
import { readCorsOrigins, isWildcardOrigin } from './read-cors-origins.ts';
import { readEgress, refuseUncheckedTls } from './read-egress.ts';
import { createSettingReader, type Environment, type ReadFile, type SettingReader } from './setting-reader.ts';
import { apiKeyProblem, type SecretOrigin, type SecretSetting } from '../secrets/secret-setting.ts';
import type { IssuerConfig } from '../authn/issuer.ts';
import { isSecretOf } from '../authn/keys/verification-keys.ts';
import type { Secret } from '../secrets/secret.ts';
import { sourceVariables } from '../secrets/secret-sources.ts';
import { readListeners, type Listeners } from './read-listeners.ts';
import { readIssuers, type Issuers } from './read-issuers.ts';
import { readTracing } from './read-tracing.ts';
import { settingTable } from './settings.ts';
import { noStoredSecrets, type StoredSecrets } from './read-stored-secrets.ts';
import { readTrustProxy } from './read-trust-proxy.ts';
import { unknownVariables, unusableValues } from './refused-variables.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface Settings extends Issuers, Listeners {
  readonly logLevel: (typeof logLevels)[number];
  readonly trustProxy: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly cookieName?: string | undefined;
  /** In lower case. */
  readonly headerName?: string | undefined;
  readonly databrain: DatabrainSettings;
  readonly egress: EgressSettings;
  readonly apiKeys: readonly SecretSetting[];
  /** Where each secret came from, for people. */
  readonly secretOrigins: readonly SecretOrigin[];
  /** How often secrets in stores are read again. */
  readonly secretsRefreshSeconds: number;
  readonly policyFile: string;
  readonly policyTestFiles: readonly string[];
  readonly policyArchiveDir?: string | undefined;
  readonly reuse: {
    readonly mode: 'user' | 'off';
    readonly minRemainingPercent: number;
    readonly maxEntries: number;
  };
  readonly maxLifetimeSeconds: number;
  readonly userLimit: RateLimit;
  readonly addressLimit: RateLimit;
  readonly redis?: RedisAddress | undefined;
  /** Undefined: tracing is off. */
  readonly tracing?: TracingSettings | undefined;
  readonly shutdown: { readonly drainSeconds: number; readonly graceSeconds: number };
  /** Names of the enabled insecure settings. */
  readonly insecure: readonly string[];
  /** Warnings: logged at the start, and errors for `check --strict`. */
  readonly warnings: readonly Problem[];
}

export interface RateLimit {
  readonly max: number;
  readonly windowSeconds: number;
}

const day = 86_400;

/** RFC 9110 §5.6.2 token characters, as RFC 6265 requires for cookie names. */
const httpToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

/** Headers with another meaning for this service or for proxies. */
const reservedHeaders =
  /^(authorization|cookie|host|origin|connection|content-.*|accept.*|expect|forwarded|via|x-forwarded-.*|x-request-id|sec-.*|access-control-.*|proxy-.*|transfer-encoding|te|trailer|upgrade|date)$/;

function readHeaderName(reader: SettingReader): string | undefined {
  const name = reader.text('JWT_HEADER_NAME')?.toLowerCase();
  if (name === undefined) return undefined;
  if (!httpToken.test(name))
    return reader.report('JWT_HEADER_NAME', 'is not a header name', 'Use letters, digits and -');
  if (!reservedHeaders.test(name)) return name;
  return reader.report(
    'JWT_HEADER_NAME',
    'is a header with another meaning',
    'Name the header in which your gateway sends the JWT; for Authorization set nothing',
  );
}

function readCookieName(reader: SettingReader): string | undefined {
  const name = reader.text('JWT_COOKIE_NAME');
  if (name === undefined || httpToken.test(name)) return name;
  return reader.report('JWT_COOKIE_NAME', 'is not a cookie name', 'Use letters, digits, - and _');
}

function readApiKeys(reader: SettingReader): readonly SecretSetting[] {
  const keys: SecretSetting[] = [];
  for (const name of ['DATABRAIN_API_KEY', ...reader.namedApiKeys()]) {
    const key = reader.secret(name);
    if (key === undefined) {
      const places = [name, ...sourceVariables(name)];
      const reported = reader.problems.some((problem) => places.includes(problem.location));
      if (!reported) reader.report(name, 'is not set', `Set ${name} or ${name}_FILE to the API key of the data app`);
      continue;
    }
    const unusable = apiKeyProblem(key.value.reveal());
    if (unusable === undefined) keys.push(key);
    else reader.report(name, unusable.problem, unusable.fix);
  }
  return keys;
}

function readSecretsRefresh(reader: SettingReader): number {
  reader.integer('SECRETS_START_WAIT_SECONDS', 0, 600);
  return reader.integer('SECRETS_REFRESH_SECONDS', 5, day) ?? 0;
}

function readReuse(reader: SettingReader): Pick<Settings, 'reuse' | 'maxLifetimeSeconds'> {
  return {
    reuse: {
      mode: reader.oneOf('TOKEN_REUSE', ['user', 'off']) ?? 'off',
      minRemainingPercent: reader.integer('TOKEN_REUSE_MIN_REMAINING_PERCENT', 1, 99) ?? 0,
      maxEntries: reader.integer('TOKEN_CACHE_MAX_ENTRIES', 1, 10_000_000) ?? 0,
    },
    maxLifetimeSeconds: reader.integer('TOKEN_MAX_LIFETIME_SECONDS', 1, 365 * day) ?? 0,
  };
}

function readLimits(reader: SettingReader): Pick<Settings, 'userLimit' | 'addressLimit'> {
  return {
    userLimit: {
      max: reader.integer('RATE_LIMIT_USER_MAX', 1, 1_000_000) ?? 0,
      windowSeconds: reader.integer('RATE_LIMIT_USER_WINDOW_SECONDS', 1, day) ?? 0,
    },
    addressLimit: {
      max: reader.integer('RATE_LIMIT_ADDRESS_MAX', 1, 10_000_000) ?? 0,
      windowSeconds: reader.integer('RATE_LIMIT_ADDRESS_WINDOW_SECONDS', 1, day) ?? 0,
    },
  };
}

function readRedis(reader: SettingReader): RedisAddress | undefined {
  const setting = reader.secret('REDIS_URL');
  if (setting === undefined) return undefined;
  try {
    return parseRedisUrl(setting.value.reveal());
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    reader.problems.push(...error.problems);
    return undefined;
  }
}

/** The API key and the JWT secret must differ: a person who has one must not have the other. */
const isSigningSecret = (value: Secret, issuers: readonly IssuerConfig[]): boolean =>
  issuers.some(({ keys }) => keys.kind === 'secret' && keys.configured.some((key) => isSecretOf(key, value)));

/**
 * Warnings about combinations of settings.
 *
 * @param ambientName the cookie or header with the JWT that the browser or a gateway adds to every request
 */
function readWarnings(corsOrigins: readonly string[], ambientName: string | undefined): readonly Problem[] {
  if (ambientName === undefined || !corsOrigins.some(isWildcardOrigin)) return [];
  return [
    {
      location: 'CORS_ORIGINS',
      problem:
        'has a star while JWT_COOKIE_NAME or JWT_HEADER_NAME is set: a page on any of these subdomains can use a user’s login',
      fix: 'List the subdomains one by one, unless every one of them is your own',
    },
  ];
}

/** Reads and checks every setting. Throws ConfigurationError with all problems, none of which holds a secret. */
export function readSettings(env: Environment, readFile: ReadFile, stored: StoredSecrets = noStoredSecrets): Settings {
  const problems: Problem[] = [...unknownVariables(env), ...stored.problems];
  const reader = createSettingReader(env, readFile, problems, stored);

  const cookieName = readCookieName(reader);
  const headerName = readHeaderName(reader);
  const issuers = readIssuers(reader, readFile);
  const apiKeys = readApiKeys(reader);
  const redis = readRedis(reader);
  for (const { name, value } of apiKeys) {
    if (!isSigningSecret(value, issuers.issuers)) continue;
    reader.report(name, 'is the same as the JWT secret', 'Use a separate secret for signing access tokens');
  }
  refuseUncheckedTls(reader);
  const policyArchiveDir = reader.text('POLICY_ARCHIVE_DIR');
  const corsOrigins = readCorsOrigins(reader);
  const tracing = readTracing(reader, readFile);

  const settings: Settings = {
    ...readListeners(reader),
    logLevel: reader.oneOf('LOG_LEVEL', logLevels) ?? 'info',
    trustProxy: readTrustProxy(reader),
    corsOrigins,
    ...issuers,
    cookieName,
    headerName,
    databrain: readDatabrain(reader),
    egress: readEgress(reader),
    apiKeys,
    secretOrigins: reader.secretOrigins,
    secretsRefreshSeconds: readSecretsRefresh(reader),
    policyFile: reader.text('POLICY_FILE') ?? '',
    policyTestFiles: reader.list('POLICY_TEST_FILES') ?? [],
    policyArchiveDir,
    ...readReuse(reader),
    ...readLimits(reader),
    redis,
    tracing,
    shutdown: {
      drainSeconds: reader.integer('SHUTDOWN_DRAIN_SECONDS', 0, 600) ?? 0,
      graceSeconds: reader.integer('SHUTDOWN_GRACE_SECONDS', 1, 600) ?? 0,
    },
    insecure: [
      ...settingTable
        .map(({ name }) => name)
        .filter((name) => name.startsWith('INSECURE_') && reader.text(name) === 'true'),
      ...issuers.insecure,
    ],
    warnings: readWarnings(corsOrigins, cookieName ?? headerName),
  };
  // Other problems of a variable with an unusable value are consequences.
  const unusable = unusableValues(env);
  const unusableLocations = new Set(unusable.map(({ location }) => location));
  const isFirst = ({ location, problem }: Problem, index: number): boolean =>
    problems.findIndex((other) => other.location === location && other.problem === problem) === index;
  const others = problems.filter(
    (problem, index) => !unusableLocations.has(problem.location) && isFirst(problem, index),
  );
  if (unusable.length + others.length > 0) throw new ConfigurationError([...unusable, ...others]);
  return Object.freeze(settings);
}
