// Refuses variables before any setting is read: misspelt names (unknown ones with one of our prefixes, or similar to a
// setting; otherwise the default would be used), and values that no setting can use. Values from files and stores are
// checked where they are read.
import { closest, didYouMean } from '../did-you-mean.ts';
import type { Problem } from '../problem.ts';
import { settingOf, sourceVariables } from '../secrets/secret-sources.ts';
import { textProblem, type TextKind } from '../unusable-text.ts';
import type { Environment } from './setting-reader.ts';
import { tracingVariables } from './read-tracing.ts';
import { kindOfSetting, namedApiKey, ownPrefixes, settingNamed, settingTable, type Setting } from './settings.ts';

/** Shorter names are similar to too many others: HOST and PORT are one letter from variables of other programs. */
const minNearNameLength = 7;
/**
 * Variables of other programs that look like ours: proxies of curl, npm's own settings, Kubernetes service links, and
 * OpenTelemetry's batches of log records.
 */
const foreign =
  /^(npm_|otel_blrp_|(https?|no|ftp)_proxy$|all_proxy$|rsync_proxy$|kubernetes_)|_(service_(host|port)|port(_.+)?)$/i;
/** OpenTelemetry has many variables that we do not read, and some have similar names. */
const maxEditsOfTracing = 2;
/** Other programs have ports too. */
const maxEditsOfPort = 1;
/** The value of `<service>_PORT`, which Kubernetes sets for every Service. */
const serviceLink = /^(tcp|udp|sctp):\/\//;
const units = /_(SECONDS|MS|FILE|PERCENT|MAX)$/;

/** The names of all variables, prepared once for comparing every variable of the environment with them. */
interface KnownNames {
  readonly all: ReadonlySet<string>;
  /** Without case, underscores, plural and unit → the first name that is written so. */
  readonly bySpelling: ReadonlyMap<string, string>;
  /** Those that a similar name may be meant for. */
  readonly long: readonly string[];
  /** Of these, the numbers of ports. */
  readonly ports: readonly string[];
}

const spellingOf = (name: string): string =>
  name.toLowerCase().replaceAll('_', '').replace(/ies$/, 'y').replace(/s$/, '');

/** One edit per four characters: REDIS_URI is similar to REDIS_URL, but REDIS_HOST is not. */
function nearMiss(variable: string, value: string, { bySpelling, long, ports }: KnownNames): string | undefined {
  if (variable.length < minNearNameLength) return undefined;
  if (foreign.test(variable)) {
    return variable.endsWith('_PORT') && !serviceLink.test(value)
      ? closest(variable, ports, maxEditsOfPort)
      : undefined;
  }
  const same = bySpelling.get(spellingOf(variable));
  if (same !== undefined) return same;
  const setting = /^otel_/i.test(variable) ? undefined : closest(variable, long, Math.floor(variable.length / 4));
  // HOTEL_SERVICE_NAME is the name of a hotel's service.
  return setting ?? (/^o/i.test(variable) ? closest(variable, tracingVariables, maxEditsOfTracing) : undefined);
}

function knownNames(): KnownNames {
  const all = new Set<string>();
  const rows: readonly Setting[] = settingTable;
  for (const { name, fromFile } of rows) {
    all.add(name);
    if (fromFile !== undefined) all.add(`${name}_FILE`);
    if (fromFile === true) for (const variable of sourceVariables(name)) all.add(variable);
  }
  const long = [...all].filter((name) => name.length >= minNearNameLength);
  for (const name of tracingVariables) all.add(name);
  const bySpelling = new Map<string, string>();
  for (const name of all) {
    for (const spelling of [spellingOf(name.replace(units, '')), spellingOf(name)]) {
      if (!bySpelling.has(spelling)) bySpelling.set(spelling, name);
    }
  }
  return { all, bySpelling, long, ports: long.filter((name) => name.endsWith('_PORT')) };
}

function problemOf(variable: string, value: string, known: KnownNames): Problem | undefined {
  if (known.all.has(variable)) return undefined;
  if (!ownPrefixes.some((prefix) => variable.startsWith(prefix))) {
    const near = nearMiss(variable, value, known);
    return near === undefined
      ? undefined
      : {
          location: variable,
          problem: `is not a setting of this program, but similar to ${near}`,
          fix: `Write ${near}, or unset ${variable} for this program`,
        };
  }
  if (namedApiKey.test(settingOf(variable))) return undefined;
  const fix = didYouMean(variable, known.all, 'Remove it, or correct its name; docs/settings.md lists all names');
  const isServiceLink = /_(SERVICE_(HOST|PORT)|PORT(_.+)?)$/.test(variable);
  return {
    location: variable,
    problem: 'is not a setting of this program',
    fix: isServiceLink ? `${fix}; if Kubernetes set it for a Service, use enableServiceLinks: false` : fix,
  };
}

/** One problem per variable that is most likely a misspelt setting. */
export function unknownVariables(env: Environment): readonly Problem[] {
  const known = knownNames();
  return Object.keys(env)
    .sort()
    .flatMap((variable) => {
      const value = env[variable] ?? '';
      return value === '' ? [] : (problemOf(variable, value, known) ?? []);
    });
}

/** The kind of text that a variable holds: the name of a file or of a place in a store is plain text. */
function kindOf(variable: string): TextKind | undefined {
  const base = settingOf(variable);
  if (settingNamed(variable) !== undefined || base === variable) return kindOfSetting(variable);
  return settingNamed(base)?.fromFile !== undefined || namedApiKey.test(base) ? 'text' : undefined;
}

/** One problem per variable of ours whose value can never work. Never repeats the value. */
export function unusableValues(env: Environment): readonly Problem[] {
  return Object.entries(env).flatMap(([variable, value]) => {
    const kind = value === undefined || value === '' ? undefined : kindOf(variable);
    const unusable = kind === undefined ? undefined : textProblem(value ?? '', kind);
    return unusable === undefined ? [] : [{ location: variable, ...unusable }];
  });
}
