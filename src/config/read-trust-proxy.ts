// TRUST_PROXY: the proxies whose X-Forwarded-* headers are trusted. A range that includes a large part of the internet
// is refused: it would let clients choose their own address and bypass the address limit.
import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';
import type { SettingReader } from './setting-reader.ts';

/**
 * Shortest prefixes accepted: 10.0.0.0/8 and fc00::/7 are the widest private ranges, a /20 the widest of a provider.
 */
const shortest = { ipv4: 8, private: 7, ipv6: 20 } as const;

/** IPv6 ranges in which the whole IPv4 internet has addresses, and the shortest prefix that is a part of it only. */
const ipv4InIpv6: readonly (readonly [range: string, shortest: number])[] = [
  ['::/96', 104], // IPv4-compatible, RFC 4291 §2.5.5.1
  ['::ffff:0:0/96', 104], // IPv4-mapped, RFC 4291 §2.5.5.2
  ['64:ff9b::/96', 104], // translated, RFC 6052
  ['64:ff9b:1::/48', 104], // translated locally, RFC 8215
  ['2002::/16', 24], // 6to4, RFC 3056
  ['2001::/32', 128], // Teredo, RFC 4380: server and client, so that only a single address is a part
];

const tooWide = 'trusts a range as wide as the internet';

function overlap(network: ipaddr.IPv6, length: number, range: string): boolean {
  const [other, otherLength] = ipaddr.IPv6.parseCIDR(range);
  return network.match(other, Math.min(length, otherLength));
}

function problemOf(entry: string): string | undefined {
  const [address = '', prefix, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return 'has an entry that is not an address or CIDR';
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!(length >= 0 && length <= bits)) return 'has an entry whose prefix length is out of range';
  if (family === 4) return length < shortest.ipv4 ? tooWide : undefined;

  const network = ipaddr.IPv6.parse(address);
  const isPrivate = network.range() === 'uniqueLocal' && length >= shortest.private;
  const isPart = ipv4InIpv6.every(([range, part]) => length >= part || !overlap(network, length, range));
  return isPart && (isPrivate || length >= shortest.ipv6) ? undefined : tooWide;
}

/** The trusted addresses and CIDRs. An empty list trusts no proxy. */
export function readTrustProxy(reader: SettingReader): readonly string[] {
  const entries = reader.list('TRUST_PROXY') ?? [];
  for (const entry of entries) {
    const problem = problemOf(entry);
    if (problem !== undefined) {
      reader.report(
        'TRUST_PROXY',
        problem,
        'List the addresses or private CIDRs of your own proxies, such as 10.1.2.0/24',
      );
    }
  }
  return entries;
}
