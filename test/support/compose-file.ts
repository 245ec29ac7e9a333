// docker-compose.yml as Compose reads it, and each service as the `docker create` options that Compose would give it:
// for machines whose engine has no Compose.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';

export interface ComposeService {
  readonly image: string;
  readonly build: { readonly context: string; readonly target: string };
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly network_mode?: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly mem_limit: string;
  readonly memswap_limit: string;
  readonly cpus: number;
  readonly pids_limit: number;
  readonly healthcheck: {
    readonly test: readonly string[];
    readonly interval: string;
    readonly timeout: string;
    readonly start_period: string;
    readonly retries: number;
  };
  readonly restart: string;
  readonly stop_grace_period: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/** `${NAME:-value}` becomes the value, as with an empty environment; any other `$` is refused. */
function interpolate(text: string): string {
  const result = text.replace(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1');
  if (result.includes('$')) throw new Error('docker-compose.yml uses a variable without a default');
  return result;
}

/** Reads docker-compose.yml, its variables at their defaults. */
export const readComposeFile = (): ComposeFile =>
  parse(interpolate(readFileSync('docker-compose.yml', 'utf8').replace(/^\s*#.*$/gm, ''))) as ComposeFile;

/**
 * The options of `docker create` for a service, without its network, published ports and health check.
 * @param secretFiles a secret's name → the file mounted for it, instead of the one that docker-compose.yml names
 */
export function dockerOptionsOf(service: ComposeService, secretFiles: Readonly<Record<string, string>>): string[] {
  const mounts = [
    ...service.secrets.map((name) => `${secretFiles[name] ?? ''}:/run/secrets/${name}:ro`),
    ...(service.volumes ?? []).map((volume) => volume.replace(/^\.[^:]*/, (source) => resolve(source))),
  ];
  return [
    ...Object.entries(service.environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...mounts.flatMap((mount) => ['--volume', mount]),
    ...service.cap_drop.flatMap((capability) => ['--cap-drop', capability]),
    ...service.security_opt.flatMap((option) => ['--security-opt', option]),
    ...(service.read_only ? ['--read-only'] : []),
    ...['--user', service.user, '--memory', service.mem_limit, '--memory-swap', service.memswap_limit],
    ...['--cpus', String(service.cpus), '--pids-limit', String(service.pids_limit)],
  ];
}
