// TRUST_PROXY: whose X-Forwarded-* headers are believed. Named proxies only; a range that is, or maps to, a good
// part of the internet would let every client choose its own address and so escape the address limit.
import { BlockList, isIP } from 'node:net';
import type { Reader } from './environment.ts';

/** Widest ranges accepted: 10.0.0.0/8 and fc00::/7 are the widest private ones. */
const widest = { 4: 8, 6: 7 } as const;

/** First address after which 96 bits decide: `::ffff:0:0/96` is the whole IPv4 internet in IPv6 clothes. */
const mappedPrefixLength = 96;

function problemOf(entry: string): string | undefined {
  const [address = '', prefix, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return 'has an entry that is not an address or CIDR';
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!(length >= 0 && length <= bits)) return 'has an entry whose prefix length is out of range';
  if (family === 4) return length < widest[4] ? 'trusts a range as wide as the internet' : undefined;
  if (length < widest[6]) return 'trusts a range as wide as the internet';
  const range = new BlockList();
  range.addSubnet(address, length, 'ipv6');
  const holdsMapped = range.check('::ffff:1.2.3.4', 'ipv6') && range.check('::ffff:200.1.1.1', 'ipv6');
  const mappedLength = length - mappedPrefixLength;
  const isMapped = /^(::ffff:|0*:0*:0*:0*:0*:ffff:)/i.test(address);
  if (holdsMapped || (isMapped && mappedLength < widest[4])) return 'trusts a range as wide as the internet';
  return undefined;
}

/** The trusted addresses and CIDRs; an empty list trusts nobody. */
export function readTrustProxy(reader: Reader): readonly string[] {
  const entries = reader.list('TRUST_PROXY') ?? [];
  for (const entry of entries) {
    const what = problemOf(entry);
    if (what !== undefined) {
      reader.report(
        'TRUST_PROXY',
        what,
        'List the addresses or private CIDRs of your own proxies, such as 10.1.2.0/24',
      );
    }
  }
  return entries;
}
