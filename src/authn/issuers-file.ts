// JWT_ISSUERS_FILE: a YAML list of issuers, each with its own audience, algorithms and key source. An unknown member, a
// wrong type or a second key source stops the start, with file, line and column.
import { dirname, resolve } from 'node:path';
import { type Problem, unreadableFile } from '../problem.ts';
import { secretText, type SecretSetting } from '../secrets/secret-setting.ts';
import { Secret } from '../secrets/secret.ts';
import { parseIssuer, type IssuerConfig, type RawIssuer, type RawKeySource, type IssuerRules } from './issuer.ts';
import { secretEncodings, type SecretEncoding } from './keys/hmac-secret.ts';
import { shareSecret } from './keys/verification-keys.ts';
import { readIssuerEntries, type IssuerEntry } from './issuers-file-entries.ts';

/** Defaults for the issuers of the file. */
export interface IssuersFileOptions extends IssuerRules {
  /** Reads a file, or throws an error with a `code`. */
  readonly readFile: (path: string) => Buffer;
}

/** An issuer's key file. It is watched; changed content goes to `replaceKeys`. */
export interface IssuerKeyFile {
  readonly iss: string;
  readonly setting: SecretSetting;
}

export type IssuersFile =
  | { readonly issuers: readonly IssuerConfig[]; readonly keyFiles: readonly IssuerKeyFile[] }
  | { readonly problems: readonly Problem[] };

const keySources = ['secret', 'secretFile', 'publicKey', 'publicKeyFile', 'jwksUrl'] as const;
const members = [
  'issuer',
  'audience',
  'algorithms',
  ...keySources,
  'clockToleranceSeconds',
  'maxLifetimeSeconds',
  'typ',
  'userClaim',
  'secretEncoding',
  'allowMissingAudience',
] as const;

export type IssuerMember = (typeof members)[number];

interface ReadKey {
  readonly key: RawKeySource;
  readonly location: string;
  readonly file?: { readonly path: string; readonly content: Buffer };
}

function readKeyFile(
  entry: IssuerEntry<IssuerMember>,
  member: 'secretFile' | 'publicKeyFile',
  file: string,
  options: IssuersFileOptions,
): { text: string; path: string; content: Buffer } | undefined {
  const name = entry.text(member);
  if (name === undefined) return undefined;
  const path = resolve(dirname(file), name);
  let content: Buffer;
  try {
    content = options.readFile(path);
  } catch (error) {
    const { problem, fix } = unreadableFile(error);
    return entry.report(member, `names a file that ${problem}`, fix);
  }
  try {
    return { text: secretText(content), path, content };
  } catch (error) {
    const problem = error instanceof Error ? error.message : 'cannot be used';
    return entry.report(member, `names a file that ${problem}`, 'The file must hold the key and nothing else');
  }
}

/** The encoding of the entry's secret. Other keys have none. */
function readEncoding(entry: IssuerEntry<IssuerMember>, source: string | undefined): SecretEncoding | undefined {
  const name = entry.text('secretEncoding');
  if (name === undefined) return entry.has('secretEncoding') ? undefined : 'text';
  if (source !== 'secret' && source !== 'secretFile') {
    return entry.report('secretEncoding', 'is set, but the key is not a secret', 'Remove it');
  }
  const encoding = secretEncodings.find((known) => known === name);
  return encoding ?? entry.report('secretEncoding', 'is unknown', `Set one of ${secretEncodings.join(', ')}`);
}

function readKey(entry: IssuerEntry<IssuerMember>, file: string, options: IssuersFileOptions): ReadKey | undefined {
  const [source, second] = keySources.filter((member) => entry.has(member));
  const encoding = readEncoding(entry, source);
  if (encoding === undefined) return undefined;
  if (second !== undefined) {
    return entry.report(second, `is set together with ${source ?? ''}`, 'Keep one key source');
  }
  if (source === undefined) return { key: { kind: 'discovery' }, location: entry.location('issuer') };
  const location = entry.location(source);
  if (source === 'secretFile' || source === 'publicKeyFile') {
    const found = readKeyFile(entry, source, file, options);
    if (found === undefined) return undefined;
    const { text, path, content } = found;
    const key: RawKeySource =
      source === 'secretFile' ? { kind: 'secret', text: new Secret(text), encoding } : { kind: 'publicKey', text };
    return { key, location, file: { path, content } };
  }
  const text = entry.text(source, source === 'jwksUrl' ? 'text' : 'keys');
  if (text === undefined) return undefined;
  // A YAML block scalar ends in a newline that is not part of the key.
  const value = text.replace(/\r?\n$/, '');
  if (source === 'jwksUrl') return { key: { kind: 'jwksUrl', url: value }, location };
  return {
    key:
      source === 'secret' ? { kind: 'secret', text: new Secret(value), encoding } : { kind: 'publicKey', text: value },
    location,
  };
}

function readEntry(
  entry: IssuerEntry<IssuerMember>,
  file: string,
  options: IssuersFileOptions,
): { raw: RawIssuer; keyFile?: IssuerKeyFile } | undefined {
  const issuer = entry.text('issuer') ?? (entry.has('issuer') ? undefined : entry.missing('issuer', 'the exact iss'));
  const audience =
    entry.texts('audience') ?? (entry.has('audience') ? undefined : entry.missing('audience', 'the accepted aud'));
  const algorithms = entry.texts('algorithms');
  const tolerance = entry.integer('clockToleranceSeconds', 0, 120) ?? options.clockToleranceSeconds;
  const maxLifetime = entry.integer('maxLifetimeSeconds', 1, 31_536_000) ?? options.maxLifetimeSeconds;
  const typ = entry.text('typ');
  const userClaim = entry.text('userClaim') ?? 'sub';
  const allowMissingAudience = entry.flag('allowMissingAudience') ?? options.allowMissingAudience;
  const found = readKey(entry, file, options);
  if (issuer === undefined || audience === undefined || found === undefined) return undefined;

  const raw: RawIssuer = {
    location: {
      issuer: entry.location('issuer'),
      audience: entry.location('audience'),
      algorithms: entry.location('algorithms'),
      key: found.location,
      userClaim: entry.location('userClaim'),
    },
    issuer,
    audience,
    algorithms,
    key: found.key,
    clockToleranceSeconds: tolerance,
    maxLifetimeSeconds: maxLifetime,
    allowMissingIssuer: options.allowMissingIssuer,
    allowMissingAudience,
    allowHttp: options.allowHttp,
    userClaim,
    typ,
  };
  if (found.file === undefined) return { raw };
  const value = found.key.kind === 'secret' ? found.key.text : new Secret('text' in found.key ? found.key.text : '');
  const setting: SecretSetting = { name: `the key of ${issuer}`, value, file: found.file };
  return { raw, keyFile: { iss: issuer, setting } };
}

const shareAnHmacSecret = ({ keys: a }: IssuerConfig, { keys: b }: IssuerConfig): boolean =>
  a.kind === 'secret' && b.kind === 'secret' && shareSecret(a.configured, b.configured);

/** All issuers of the file, or all its problems. `file` is for messages and the base of relative paths. */
export function loadIssuersFile(text: string, file: string, options: IssuersFileOptions): IssuersFile {
  const { entries, problems } = readIssuerEntries(text, file, members);
  const issuers = new Map<string, IssuerConfig>();
  const keyFiles: IssuerKeyFile[] = [];
  for (const entry of entries) {
    const read = readEntry(entry, file, options);
    if (read === undefined) continue;
    const parsed = parseIssuer(read.raw);
    if ('problems' in parsed) {
      problems.push(...parsed.problems);
    } else if (issuers.has(parsed.issuer.iss)) {
      entry.report('issuer', 'repeats the issuer of an earlier entry', 'Keep one entry per issuer');
    } else if ([...issuers.values()].some((other) => shareAnHmacSecret(other, parsed.issuer))) {
      problems.push({
        location: read.raw.location.key,
        problem: 'is the secret of an earlier entry too',
        fix: 'Give each issuer its own secret: a signer for one could sign for the other',
      });
    } else {
      issuers.set(parsed.issuer.iss, parsed.issuer);
      if (read.keyFile !== undefined) keyFiles.push(read.keyFile);
    }
  }
  if (options.allowMissingIssuer && entries.length > 1) {
    problems.push({
      location: 'INSECURE_JWT_ALLOW_MISSING_ISSUER',
      problem: 'is true, but with several issuers a token without iss has no known issuer',
      fix: 'Remove it',
    });
  }
  if (problems.length > 0) return { problems };
  return { issuers: [...issuers.values()], keyFiles };
}
