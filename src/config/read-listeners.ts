// The settings of the listeners: addresses, base path, idle connections.
import type { SettingReader } from './setting-reader.ts';

export interface Listeners {
  readonly listen: { readonly host: string; readonly port: number };
  /** Undefined: the admin listener is off. */
  readonly admin?: { readonly host: string; readonly port: number } | undefined;
  /** Accepted Host values of the admin listener besides loopback names and its own address; with ADMIN_HOST. */
  readonly adminHosts: readonly string[];
  /** Whether the admin listener has the policy playground. */
  readonly hasPlayground: boolean;
  /** The prefix of every public path: empty, or with a leading and no trailing slash. */
  readonly basePath: string;
  readonly keepAliveTimeoutSeconds: number;
}

/** Only unreserved characters (RFC 3986 §2.3), so that there is only one spelling. */
const basePath = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/;

/** A name or an address in the notation of Host, with an optional port. */
const hostValue = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

function readBasePath(reader: SettingReader): string {
  const path = reader.text('BASE_PATH');
  if (path === undefined || path === '/') return '';
  if (!basePath.test(path) || path.length > 256) {
    reader.report(
      'BASE_PATH',
      'is not a path prefix',
      'Write it as /bi: a slash first and none at the end, with letters, digits, ".", "_", "~" and "-"',
    );
  }
  return path;
}

function readAdminHosts(reader: SettingReader): readonly string[] {
  const hosts = reader.list('ADMIN_HOSTS') ?? [];
  for (const host of hosts) {
    if (hostValue.test(host)) continue;
    reader.report(
      'ADMIN_HOSTS',
      'has an entry that is not a Host value',
      'Write names or addresses, such as metrics.internal',
    );
  }
  return [reader.text('ADMIN_HOST') ?? '', ...hosts];
}

export function readListeners(reader: SettingReader): Listeners {
  const listen = { host: reader.text('HOST') ?? '', port: reader.integer('PORT', 0, 65_535) ?? 0 };
  const admin = { host: reader.text('ADMIN_HOST') ?? '', port: reader.integer('ADMIN_PORT', 0, 65_535) ?? 0 };
  if (admin.port !== 0 && admin.port === listen.port) {
    reader.report('ADMIN_PORT', 'is the same as PORT', 'Use another port; the admin listener must never be public');
  }
  return {
    listen,
    admin: admin.port === 0 ? undefined : admin,
    adminHosts: readAdminHosts(reader),
    hasPlayground: reader.flag('ADMIN_PLAYGROUND'),
    basePath: readBasePath(reader),
    keepAliveTimeoutSeconds: reader.integer('KEEP_ALIVE_TIMEOUT_SECONDS', 1, 3_600) ?? 0,
  };
}
