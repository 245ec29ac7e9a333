// Reads the JWT_* settings: the issuers and their keys, from the single-issuer variables or the issuers file.
import { unreadableFile } from '../problem.ts';
import { loadIssuersFile, type IssuerKeyFile } from '../authn/issuers-file.ts';
import { parseIssuer, type IssuerConfig, type RawKeySource, type IssuerRules } from '../authn/issuer.ts';
import type { SecretSetting } from '../secrets/secret-setting.ts';
import { sourceVariables } from '../secrets/secret-sources.ts';
import { secretEncodings } from '../authn/keys/hmac-secret.ts';
import type { ReadFile, SettingReader } from './setting-reader.ts';
import { singleIssuerSettings } from './settings.ts';

export interface Issuers {
  readonly issuers: readonly IssuerConfig[];
  /** Keys from files or stores, which may change. */
  readonly issuerKeyFiles: readonly IssuerKeyFile[];
  /** Insecure settings of single issuers, for the warning at the start. */
  readonly insecure: readonly string[];
  /** The content of JWT_ISSUERS_FILE. */
  readonly issuersFile?: { readonly path: string; readonly content: Buffer };
}

const day = 86_400;
const noIssuers: Issuers = { issuers: [], issuerKeyFiles: [], insecure: [] };

const singleIssuerVariables: readonly string[] = singleIssuerSettings.flatMap(({ name, fromFile }) =>
  fromFile === undefined ? [name] : [name, ...sourceVariables(name)],
);

function readIssuerRules(reader: SettingReader): IssuerRules {
  const maxLifetimeSeconds = reader.integer('JWT_MAX_LIFETIME_SECONDS', 1, 365 * day);
  return {
    clockToleranceSeconds: reader.integer('JWT_CLOCK_TOLERANCE_SECONDS', 0, 120) ?? 0,
    maxLifetimeSeconds,
    allowMissingIssuer: reader.flag('INSECURE_JWT_ALLOW_MISSING_ISSUER'),
    allowMissingAudience: reader.flag('INSECURE_JWT_ALLOW_MISSING_AUDIENCE'),
    allowHttp: reader.flag('INSECURE_JWT_HTTP'),
  };
}

/** The key source of the single issuer; two of them are a problem, none means OIDC discovery. */
function readKeySource(
  reader: SettingReader,
): { key: RawKeySource; location: string; setting?: SecretSetting } | undefined {
  const secret = reader.secret('JWT_SECRET');
  const publicKey = reader.secret('JWT_PUBLIC_KEY');
  const url = reader.text('JWT_JWKS_URL');
  const sources = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'].filter(reader.isSet);
  const encoding = reader.oneOf('JWT_SECRET_ENCODING', secretEncodings) ?? 'text';
  if (!reader.isSet('JWT_SECRET') && reader.raw('JWT_SECRET_ENCODING') !== undefined) {
    reader.report('JWT_SECRET_ENCODING', 'is set, but JWT_SECRET is not', 'Remove it, or set the secret');
  }
  const [location = 'JWT_ISSUER', other] = sources;
  if (other !== undefined) {
    return reader.report(other, `is set together with ${location}`, 'Keep exactly one source of keys');
  }
  if (secret !== undefined) return { key: { kind: 'secret', text: secret.value, encoding }, location, setting: secret };
  if (publicKey !== undefined) {
    return { key: { kind: 'publicKey', text: publicKey.value.reveal() }, location, setting: publicKey };
  }
  // Set but unreadable, which is reported already.
  if (location === 'JWT_SECRET' || location === 'JWT_PUBLIC_KEY') return undefined;
  return { key: url === undefined ? { kind: 'discovery' } : { kind: 'jwksUrl', url }, location };
}

function readSingleIssuer(reader: SettingReader, shared: IssuerRules): Issuers {
  const iss = reader.text('JWT_ISSUER');
  const audience = reader.list('JWT_AUDIENCE');
  const algorithms = reader.list('JWT_ALGORITHMS');
  if (iss === undefined) reader.report('JWT_ISSUER', 'is not set', 'Set it to the exact iss of your access tokens');
  if (audience === undefined) {
    reader.report('JWT_AUDIENCE', 'is not set', 'Set it to the aud of your access tokens for this service');
  }
  const before = reader.problems.length;
  const source = readKeySource(reader);
  if (source === undefined || reader.problems.length > before) return noIssuers;
  // Use placeholders for a missing iss or aud, which is reported above, so that the rest is checked too.
  const parsed = parseIssuer({
    ...shared,
    location: {
      issuer: 'JWT_ISSUER',
      audience: 'JWT_AUDIENCE',
      algorithms: 'JWT_ALGORITHMS',
      key: source.location,
      userClaim: 'JWT_USER_CLAIM',
    },
    issuer: iss ?? 'https://issuer.invalid',
    audience: audience ?? ['not set'],
    algorithms,
    key: source.key,
    userClaim: reader.text('JWT_USER_CLAIM') ?? 'sub',
  });
  if ('problems' in parsed) {
    reader.problems.push(...parsed.problems);
    return noIssuers;
  }
  const { setting } = source;
  const changes = setting?.file !== undefined || setting?.stored !== undefined;
  const issuerKeyFiles = setting !== undefined && changes ? [{ iss: parsed.issuer.iss, setting }] : [];
  return { issuers: [parsed.issuer], issuerKeyFiles, insecure: [] };
}

/** Reads all JWT_* settings; problems are reported to the reader. */
export function readIssuers(reader: SettingReader, readFile: ReadFile): Issuers {
  const shared = readIssuerRules(reader);
  const file = reader.text('JWT_ISSUERS_FILE');
  if (file === undefined) return readSingleIssuer(reader, shared);

  for (const name of singleIssuerVariables) {
    if (reader.raw(name) === undefined) continue;
    reader.report(name, 'is set, and JWT_ISSUERS_FILE too', 'Move it into the issuers file or remove JWT_ISSUERS_FILE');
  }
  let content: Buffer;
  try {
    content = readFile(file);
  } catch (error) {
    const { problem, fix } = unreadableFile(error);
    reader.report('JWT_ISSUERS_FILE', `names a file that ${problem}`, fix);
    return noIssuers;
  }
  const loaded = loadIssuersFile(content.toString('utf8'), file, { ...shared, readFile });
  if ('problems' in loaded) {
    reader.problems.push(...loaded.problems);
    return noIssuers;
  }
  const insecure = loaded.issuers
    .filter(({ allowMissingAudience }) => allowMissingAudience && !shared.allowMissingAudience)
    .map(({ iss }) => `allowMissingAudience of ${iss}`);
  return { issuers: loaded.issuers, issuerKeyFiles: loaded.keyFiles, insecure, issuersFile: { path: file, content } };
}
