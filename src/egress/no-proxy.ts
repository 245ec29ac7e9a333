// Parses NO_PROXY, the addresses that are reached without the egress proxy, with the same meaning as in curl, Go and
// most other programs. Entries are hosts (including their subdomains), addresses, CIDR ranges or `*`, with or without a
// port.
import { BlockList, isIP } from 'node:net';

/** Whether this address is reached without the proxy. */
export type Bypass = (url: URL) => boolean;

interface Entry {
  readonly port: string | undefined;
  readonly matches: (host: string) => boolean;
}

const hostOf = ({ hostname }: URL): string =>
  hostname
    .replace(/^\[(.+)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();

const portOf = ({ port, protocol }: URL): string => (port === '' ? (protocol === 'https:' ? '443' : '80') : port);

const familyOf = (host: string): 'ipv4' | 'ipv6' => (isIP(host) === 6 ? 'ipv6' : 'ipv4');

function matchRange(network: string, prefix: string): Entry['matches'] | undefined {
  const bits = isIP(network) === 0 ? -1 : isIP(network) === 4 ? 32 : 128;
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return undefined;
  const range = new BlockList();
  range.addSubnet(network, Number(prefix), familyOf(network));
  return (host) => isIP(host) !== 0 && range.check(host, familyOf(host));
}

function matchAddress(address: string): Entry['matches'] {
  const list = new BlockList();
  list.addAddress(address, familyOf(address));
  return (host) => isIP(host) !== 0 && list.check(host, familyOf(host));
}

function matchDomain(text: string): Entry['matches'] | undefined {
  const domain = text
    .replace(/^\*?\./, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(domain)) return undefined;
  const isSubdomain = (host: string): boolean => host.endsWith(`.${domain}`);
  return text.startsWith('*.') ? isSubdomain : (host) => host === domain || isSubdomain(host);
}

function parseEntry(text: string): Entry | undefined {
  const withPort = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  const host = (withPort?.[1] ?? text).replace(/^\[(.+)\]$/, '$1');
  const slash = host.indexOf('/');
  const matches =
    host === '*'
      ? () => true
      : slash >= 0
        ? matchRange(host.slice(0, slash), host.slice(slash + 1))
        : isIP(host) === 0
          ? matchDomain(host)
          : matchAddress(host);
  return matches && { port: withPort?.[2], matches };
}

/** Invalid entries of NO_PROXY, which is separated by commas or spaces. */
export const unusableEntries = (noProxy: string): readonly string[] =>
  entriesOf(noProxy).filter((text) => parseEntry(text) === undefined);

const entriesOf = (noProxy: string): readonly string[] => noProxy.split(/[\s,]+/).filter((text) => text !== '');

/** Ignores invalid entries: the settings refuse them. */
export function createBypass(noProxy: string): Bypass {
  const entries = entriesOf(noProxy).flatMap((text) => parseEntry(text) ?? []);
  return (url) =>
    entries.some(({ port, matches }) => (port === undefined || port === portOf(url)) && matches(hostOf(url)));
}
