// docker-compose.yml as Compose reads it: with resolved YAML merge keys and variables.
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { parse } from 'yaml';

export interface ComposeService {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly command?: readonly string[];
  readonly env_file?: readonly { readonly path: string; readonly format: string }[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly mem_limit: string;
  readonly memswap_limit: string;
  readonly cpus: number;
  readonly pids_limit: number;
  readonly restart: string;
  readonly stop_grace_period?: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** `${NAME:-value}`, `${NAME-value}`, `${NAME?message}` and `$$`, as in the Compose specification. */
const interpolate = (text: string, variables: Variables): string =>
  text.replace(
    /\$\$|\$\{([A-Z_]+)(:-|-|\?)([^}]*)\}/g,
    (match, name: string | undefined, operator: string, rest: string) => {
      if (name === undefined) return match.slice(1);
      const value = variables[name];
      if (operator === '?' && value === undefined) throw new Error(`${name} ${rest}`);
      return value === undefined || (operator === ':-' && value === '') ? rest : value;
    },
  );

/** Variables of the sample app, as the sample's env file gives them. */
export const sampleVariables: Readonly<Record<string, string | undefined>> = parseEnv(
  readFileSync('deploy/sample-app/sample.env', 'utf8'),
);

/** @param variables as in the env file of `docker compose`; throws where Compose would */
export const readComposeFile = (variables: Variables = sampleVariables): ComposeFile =>
  parse(interpolate(readFileSync('docker-compose.yml', 'utf8').replace(/^\s*#.*$/gm, ''), variables), {
    merge: true,
  }) as ComposeFile;

/** The settings of the proxy's container: its env file, overridden by its `environment`. */
export const proxySettings = (variables: Variables = sampleVariables): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries({ ...variables, ...readComposeFile(variables).services['proxy']?.environment }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
