// Every setting of the service in one table: name, default, description. read-settings.ts reads the environment by it,
// and tests compare .env.example and docs/settings.md with it.
import type { TextKind } from '../unusable-text.ts';

export interface Setting {
  readonly name: string;
  /** Used if the variable is absent or empty. A setting that gives more access has no default. */
  readonly default?: string;
  /**
   * A secret: `X_FILE` is accepted too, a file that holds the value, and unless this is `only` so are `X_VAULT` and the
   * variables of the other stores; exactly one of them.
   */
  readonly fromFile?: true | 'only';
  readonly required?: true;
  /** The text for the default column if there is no fixed default. */
  readonly absent?: string;
  /** Only for the single issuer: refused together with JWT_ISSUERS_FILE, whose entries have their own members. */
  readonly singleIssuer?: true;
  /** `list`: comma-separated values; `keys`: PEM or JSON. */
  readonly form?: 'list' | 'keys';
  readonly description: string;
}

export const settingTable = [
  { name: 'HOST', default: '0.0.0.0', description: 'address of the public listener' },
  { name: 'PORT', default: '8080', description: 'port of the public listener' },
  { name: 'ADMIN_HOST', default: '127.0.0.1', description: 'address of the admin listener (metrics, version, health)' },
  { name: 'ADMIN_PORT', default: '9090', description: 'port of the admin listener; 0 disables it' },
  {
    name: 'LOG_LEVEL',
    default: 'info',
    description: 'fatal, error, warn, info, debug, trace or silent; silent also disables the audit log',
  },
  {
    name: 'KEEP_ALIVE_TIMEOUT_SECONDS',
    default: '75',
    description:
      'how long an idle client connection stays open; longer than the idle timeout of the load balancer in front',
  },
  {
    name: 'BASE_PATH',
    description: 'prefix of every public path, such as /bi, for load balancers that cannot strip one',
  },
  {
    name: 'ADMIN_PLAYGROUND',
    default: 'false',
    description: 'true: serves the policy playground at /playground/ of the admin listener',
  },
  {
    name: 'ADMIN_HOSTS',
    form: 'list',
    description:
      'further Host values that the admin listener accepts, comma-separated; it always accepts loopback names and ADMIN_HOST',
  },
  {
    name: 'TRUST_PROXY',
    form: 'list',
    description: 'addresses or CIDRs of the proxies in front whose X-Forwarded-* headers are trusted, comma-separated',
  },
  {
    name: 'CORS_ORIGINS',
    form: 'list',
    description: 'origins of the pages that may call, comma-separated; https://*.app.example.com stands for one label',
  },
  {
    name: 'JWT_ISSUER',
    singleIssuer: true,
    absent: 'required, or JWT_ISSUERS_FILE',
    description: 'exact iss of the access tokens; base for OIDC discovery if no key source is given',
  },
  {
    name: 'JWT_AUDIENCE',
    singleIssuer: true,
    form: 'list',
    absent: 'required, or JWT_ISSUERS_FILE',
    description: 'accepted aud values, comma-separated',
  },
  {
    name: 'JWT_ALGORITHMS',
    singleIssuer: true,
    form: 'list',
    absent: 'HS256 for JWT_SECRET, else RS256, ES256, ES384, ES512 and EdDSA',
    description:
      'accepted alg values, comma-separated: HS256/384/512, RS*, PS*, ES256/384/512, EdDSA; HMAC cannot be mixed with the others',
  },
  {
    name: 'JWT_SECRET',
    singleIssuer: true,
    fromFile: true,
    description: 'HMAC key; a file may hold several, one per line, all accepted (for rotation)',
  },
  {
    name: 'JWT_SECRET_ENCODING',
    singleIssuer: true,
    default: 'text',
    description: 'how the signer turns the secret into bytes: text, base64, base64url or hex',
  },
  {
    name: 'JWT_PUBLIC_KEY',
    singleIssuer: true,
    form: 'keys',
    fromFile: true,
    description: 'public key: PEM (one or several) or a JWKS document',
  },
  {
    name: 'JWT_JWKS_URL',
    singleIssuer: true,
    description: 'address of a JWKS document; https, http only for loopback',
  },
  {
    name: 'JWT_USER_CLAIM',
    singleIssuer: true,
    default: 'sub',
    description: 'claim that names the user: a string, or a whole number within 2^53',
  },
  { name: 'JWT_CLOCK_TOLERANCE_SECONDS', default: '30', description: 'tolerance for exp, nbf and iat, 0 to 120' },
  { name: 'JWT_MAX_LIFETIME_SECONDS', description: 'refuses access tokens whose exp - iat is longer' },
  {
    name: 'JWT_HEADER_NAME',
    description: 'accepts the access token in this header instead of Authorization, from allowed origins only',
  },
  { name: 'JWT_COOKIE_NAME', description: 'accepts the access token in this cookie too, from allowed origins only' },
  { name: 'JWT_ISSUERS_FILE', description: 'YAML file with several issuers, instead of the single-issuer variables' },
  {
    name: 'DATABRAIN_API_URL',
    default: 'https://api.usedatabrain.com',
    description: "address of Databrain's API; https, http only for loopback",
  },
  {
    name: 'DATABRAIN_API_KEY',
    fromFile: true,
    required: true,
    description: "API key of the default data app; DATABRAIN_API_KEY_<NAME> holds a further data app's key",
  },
  { name: 'DATABRAIN_TIMEOUT_MS', default: '3000', description: 'time for one call to Databrain' },
  { name: 'DATABRAIN_DEADLINE_MS', default: '8000', description: 'time for all calls for one request together' },
  { name: 'DATABRAIN_MAX_RETRIES', default: '2', description: 'further calls after a failed one, 0 to 5' },
  { name: 'POLICY_FILE', default: 'policy.yaml', description: 'the policy; reloaded when it changes' },
  {
    name: 'POLICY_SHADOW_FILE',
    description: 'a second policy: evaluated for every request, never applied; differences are logged',
  },
  {
    name: 'POLICY_TEST_FILES',
    form: 'list',
    description: 'policy tests, comma-separated, that must pass before a policy is applied',
  },
  {
    name: 'POLICY_ARCHIVE_DIR',
    description:
      'folder in which every policy is stored under its SHA-256 before it is applied, as evidence for the audit log',
  },
  {
    name: 'TOKEN_REUSE',
    default: 'user',
    description: 'user: same user and same request get the same token; off: always a new one',
  },
  {
    name: 'TOKEN_REUSE_MIN_REMAINING_PERCENT',
    default: '50',
    description: 'a reused token has at least this share of its lifetime left, 1 to 99',
  },
  { name: 'TOKEN_CACHE_MAX_ENTRIES', default: '100000', description: 'reusable tokens kept in the process' },
  { name: 'TOKEN_MAX_LIFETIME_SECONDS', default: '86400', description: "upper bound for the policy's expiresIn" },
  { name: 'RATE_LIMIT_USER_MAX', default: '60', description: 'requests of one user in a window' },
  { name: 'RATE_LIMIT_USER_WINDOW_SECONDS', default: '60', description: 'length of that window' },
  {
    name: 'RATE_LIMIT_ADDRESS_MAX',
    default: '600',
    description: 'requests of one client address (IPv6: /64) in a window',
  },
  { name: 'RATE_LIMIT_ADDRESS_WINDOW_SECONDS', default: '60', description: 'length of that window' },
  { name: 'REDIS_URL', fromFile: true, description: 'shares rate limits and reusable tokens between replicas' },
  {
    name: 'HTTPS_PROXY',
    description:
      'egress proxy for https addresses (Databrain, issuers, secret stores): http://[user:password@]host:port',
  },
  { name: 'HTTP_PROXY', description: 'egress proxy for http addresses' },
  {
    name: 'NO_PROXY',
    description: 'hosts, domains, addresses and CIDR ranges reached without a proxy, comma-separated; * for all',
  },
  {
    name: 'SECRETS_REFRESH_SECONDS',
    default: '300',
    description: 'how often secrets in stores are read again, 5 to 86400',
  },
  {
    name: 'SECRETS_START_WAIT_SECONDS',
    default: '30',
    description: 'how long the start waits for a secret store that is unavailable, 0 to 600',
  },
  { name: 'VAULT_ADDR', description: 'address of HashiCorp Vault or OpenBao; https, http only for loopback' },
  { name: 'VAULT_NAMESPACE', description: 'Vault namespace of all requests to Vault' },
  { name: 'VAULT_CACERT', description: "file of the CA certificates (PEM) that Vault's certificate is checked with" },
  { name: 'VAULT_TOKEN', fromFile: 'only', description: 'logs in to Vault with this token' },
  { name: 'VAULT_ROLE_ID', description: 'logs in to Vault by AppRole, with this role' },
  { name: 'VAULT_SECRET_ID', fromFile: 'only', description: 'secret id of the AppRole' },
  {
    name: 'VAULT_K8S_ROLE',
    description: "logs in to Vault by Kubernetes, with this role and the pod's service account",
  },
  { name: 'VAULT_JWT_ROLE', description: 'logs in to Vault by JWT, with this role' },
  {
    name: 'VAULT_JWT_FILE',
    description: 'file of the JWT for the JWT login; for Kubernetes instead of the usual file',
  },
  { name: 'VAULT_AUTH_PATH', description: 'where the login method is mounted; default approle, kubernetes or jwt' },
  {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    description: 'where traces are sent (OTLP over HTTP); the other OTEL_ variables of OpenTelemetry apply too',
  },
  {
    name: 'SHUTDOWN_DRAIN_SECONDS',
    default: '5',
    description: 'how long the service still serves, but reports not ready, after SIGTERM',
  },
  {
    name: 'SHUTDOWN_GRACE_SECONDS',
    default: '15',
    description: 'how long running requests may take to finish after that',
  },
  { name: 'INSECURE_DATABRAIN_HTTP', default: 'false', description: 'allows http to Databrain on another machine' },
  { name: 'INSECURE_JWT_HTTP', default: 'false', description: 'allows http to key sets on another machine' },
  { name: 'INSECURE_JWT_ALLOW_MISSING_ISSUER', default: 'false', description: 'accepts access tokens without iss' },
  { name: 'INSECURE_JWT_ALLOW_MISSING_AUDIENCE', default: 'false', description: 'accepts access tokens without aud' },
] as const satisfies readonly Setting[];

export type SettingName = (typeof settingTable)[number]['name'];

/** An unknown variable with one of these prefixes stops the start, because it is probably misspelt. */
export const ownPrefixes = [
  'JWT_',
  'DATABRAIN_',
  'TOKEN_',
  'POLICY_',
  'RATE_LIMIT_',
  'ADMIN_',
  'CORS_',
  'SHUTDOWN_',
  'KEEP_ALIVE_',
  'TRUST_PROXY',
  'SECRETS_',
  'INSECURE_',
] as const;

/** `DATABRAIN_API_KEY_<NAME>`, the key of a further data app. */
export const namedApiKey = /^DATABRAIN_API_KEY_([A-Z0-9][A-Z0-9_]*)$/;

const byName: ReadonlyMap<string, Setting> = new Map(settingTable.map((setting) => [setting.name, setting]));

/** Undefined for further API keys and for names that are not a setting. */
export const settingNamed = (name: string): Setting | undefined => byName.get(name);

/** Whether the setting can be read from `X_FILE`, `X_VAULT` and the variables of other stores. */
export const isSecretSetting = (name: string): boolean =>
  settingNamed(name)?.fromFile === true || namedApiKey.test(name);

/** The kind of text that a setting holds, whatever source it comes from; undefined if it is not a setting. */
export function kindOfSetting(name: string): TextKind | undefined {
  const setting = settingNamed(name);
  if (setting !== undefined) return setting.form ?? (setting.fromFile === undefined ? 'text' : 'secret');
  return namedApiKey.test(name) ? 'secret' : undefined;
}

/** The settings that JWT_ISSUERS_FILE replaces. */
export const singleIssuerSettings: readonly Setting[] = [...byName.values()].filter(({ singleIssuer }) => singleIssuer);
