// Parses REDIS_URL: one server, a Sentinel group or a cluster, with or without TLS; docs/redis.md describes the forms.
// Messages never quote the value, which may hold a password.
import { ConfigurationError } from '../problem.ts';
import { Secret } from '../secrets/secret.ts';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: Secret;
}

export type RedisAddress =
  | (Access & { readonly kind: 'single'; readonly node: RedisNode; readonly db: number })
  | (Access & {
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisNode[];
      readonly master: string;
      readonly db: number;
      readonly sentinelUsername?: string;
      readonly sentinelPassword?: Secret;
    })
  | (Access & { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] });

const forms =
  'Write redis://[user:password@]host[:port][/db], redis+sentinel://[user:password@]host[:port],…/master[/db] or ' +
  'redis+cluster://[user:password@]host[:port],…; rediss for TLS';

const refuse = (problem: string): never => {
  throw new ConfigurationError([{ location: 'REDIS_URL', problem, fix: forms }]);
};

const shape = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/;

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('has a broken percent escape');
  }
};

function toNode(text: string, defaultPort: number): RedisNode {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? refuse('has a host that is not a name or an address');
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host, port } : refuse('has a port that is out of range');
}

const toDb = (text: string | undefined): number =>
  text === undefined || text === ''
    ? 0
    : /^\d{1,4}$/.test(text)
      ? Number(text)
      : refuse('has a database that is not a number');

function toAccess(scheme: string, userinfo: string | undefined): Access {
  const tls = scheme === 'rediss';
  if (userinfo === undefined || userinfo === '') return { tls };
  const colon = userinfo.indexOf(':');
  const username = decode(colon < 0 ? userinfo : userinfo.slice(0, colon));
  const password = colon < 0 ? '' : decode(userinfo.slice(colon + 1));
  if (password === '') return refuse('has a user without a password');
  const access = { tls, password: new Secret(password) };
  return username === '' ? access : { ...access, username };
}

function toSentinelAccess(query: string | undefined): { sentinelUsername?: string; sentinelPassword?: Secret } {
  const access: { sentinelUsername?: string; sentinelPassword?: Secret } = {};
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (value === '') refuse('has an empty option');
    else if (name === 'sentinelUsername') access.sentinelUsername = value;
    else if (name === 'sentinelPassword') access.sentinelPassword = new Secret(value);
    else refuse('has an unknown option');
  }
  return access;
}

/** Parses `REDIS_URL`. Throws ConfigurationError, which does not quote it. */
export function parseRedisUrl(text: string): RedisAddress {
  const match = shape.exec(text);
  if (match === null) return refuse('is not a Redis address');
  const [, scheme = '', topology, userinfo, hosts = '', path = '', query] = match;
  const access = toAccess(scheme, userinfo);
  const segments = path.split('/').slice(1).map(decode);
  if (topology === 'sentinel') {
    const [master = '', db, ...rest] = segments;
    if (master === '' || rest.length > 0) return refuse('does not name the Sentinel master, such as /mymaster');
    const sentinels = hosts.split(',').map((host) => toNode(host, 26_379));
    return { kind: 'sentinel', ...access, sentinels, master, db: toDb(db), ...toSentinelAccess(query) };
  }
  if (query !== undefined) return refuse('has options, which are only allowed for Sentinel');
  const nodes = hosts.split(',').map((host) => toNode(host, 6379));
  if (topology === 'cluster') {
    if (segments.some((segment) => segment !== '')) return refuse('has a database, which a cluster does not support');
    return { kind: 'cluster', ...access, nodes };
  }
  const [node, ...others] = nodes;
  if (node === undefined || others.length > 0) return refuse('names several hosts without +sentinel or +cluster');
  if (segments.length > 1) return refuse('has text after the database');
  return { kind: 'single', ...access, node, db: toDb(segments[0]) };
}
