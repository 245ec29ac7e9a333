// Which peers' X-Forwarded-* headers are trusted: the addresses and ranges of TRUST_PROXY, checked by config/.
import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';

type Range = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, length: number];

/** Converts an IPv4-mapped IPv6 range (`::ffff:10.0.0.0/104`) to its IPv4 range. */
function toRange(entry: string): Range {
  const [network, length] = entry.includes('/')
    ? ipaddr.parseCIDR(entry)
    : [ipaddr.parse(entry), isIP(entry) === 4 ? 32 : 128];
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && length >= 96;
  return isMapped ? [network.toIPv4Address(), length - 96] : [network, length];
}

/** Whether an address is a trusted proxy's; false for anything else. Undefined without entries. */
export function createTrustedProxies(
  entries: readonly string[],
): ((address: string | undefined) => boolean) | undefined {
  if (entries.length === 0) return undefined;
  const ranges = entries.map(toRange);
  return (address) => {
    if (address === undefined || isIP(address) === 0) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, length]) => parsed.kind() === network.kind() && parsed.match(network, length));
  };
}
